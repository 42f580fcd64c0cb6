"""Layers that take the place of a network's own: the same function, computed in another way."""
