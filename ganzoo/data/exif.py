"""How a picture is stored: the one thing that is read of what cameras write beside the pixels."""

import re
from typing import Literal

UPRIGHT = 1

_PREFIX = b"Exif\0\0"
_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}
_ORIENTATION = 0x0112
_IN_XMP = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([0-9])""")
_SIZES = {1: 1, 3: 2, 4: 4}
"""Bytes of a whole number of each of EXIF's types that are one."""


def orientation(exif: bytes, xmp: bytes = b"") -> int:
    """EXIF's orientation, 1 to 8: where the first row and the first column of the stored picture belong.

    Args:
        exif: a TIFF structure, with or without "Exif" before it; whatever is odd in it is passed over.
        xmp: Adobe's form of the same, which counts where ``exif`` does not have the tag.
    """
    found = _tag(exif)
    if found is None and (match := _IN_XMP.search(xmp)):
        found = int(match[1])
    return found if found is not None and UPRIGHT <= found <= 8 else UPRIGHT


def _tag(exif: bytes) -> int | None:
    while exif.startswith(_PREFIX):  # some programs write it twice
        exif = exif[len(_PREFIX) :]
    order = _ORDERS.get(exif[:4])
    if order is None:
        return None

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[at : at + size], order)

    first = number(4, 4) + 2
    for at in range(first, min(first + 12 * number(first - 2, 2), len(exif) - 11), 12):
        if number(at, 2) == _ORIENTATION and number(at + 4, 4) == 1:
            size = _SIZES.get(number(at + 2, 2))
            return number(at + 8, size) if size else None
    return None
