"""Real images: whatever they came from, they become one uint8 array with optional labels, in two parts."""

from ganzoo.data.imageset import EncodedImages, ImageSet
from ganzoo.data.load import load
from ganzoo.data.split import Split

__all__ = ["EncodedImages", "ImageSet", "Split", "load"]
