"""A plugin's two networks: built and checked, and their weights as bytes."""
