"""Real images: whatever they came from, they become one uint8 array with optional labels, in two parts."""

from ganzoo.data.decode import LARGEST, SUFFIXES, is_image, read_file
from ganzoo.data.imageset import CHANNELS, EncodedImages, ImageSet
from ganzoo.data.load import Source, load
from ganzoo.data.split import Split

__all__ = [
    "CHANNELS",
    "LARGEST",
    "SUFFIXES",
    "EncodedImages",
    "ImageSet",
    "Source",
    "Split",
    "is_image",
    "load",
    "read_file",
]
