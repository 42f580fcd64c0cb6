"""The files that runs and versions leave, as Python objects. Imports neither torch nor NumPy."""
