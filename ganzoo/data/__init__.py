"""Real images: whatever they came from, they become one uint8 array with optional labels, in two parts."""

from ganzoo.data.bounds import require_memory
from ganzoo.data.damage import damage
from ganzoo.data.decode import LARGEST, read_file
from ganzoo.data.imageset import CHANNELS, EncodedImages, ImageSet
from ganzoo.data.load import Source, load
from ganzoo.data.names import SUFFIXES, is_image, is_left_behind, order, plain
from ganzoo.data.split import Split
from ganzoo_registry.documents import Unreadable, decode_text, parse_json

__all__ = [
    "CHANNELS",
    "LARGEST",
    "SUFFIXES",
    "EncodedImages",
    "ImageSet",
    "Source",
    "Split",
    "Unreadable",
    "damage",
    "decode_text",
    "is_image",
    "is_left_behind",
    "load",
    "order",
    "parse_json",
    "plain",
    "read_file",
    "require_memory",
]
