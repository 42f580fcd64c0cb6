"""What runs and versions leave on disk, as Python objects. Light: neither torch nor NumPy."""
