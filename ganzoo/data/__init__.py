"""Real images: whatever they came from, they become one uint8 array with optional labels."""

from ganzoo.data.imageset import ImageSet
from ganzoo.data.load import load

__all__ = ["ImageSet", "load"]
