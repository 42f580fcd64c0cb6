"""What of an image file makes its pixels. All else is cut away before a decoder sees the file.

Text, profiles, thumbnails and other frames of any size, or damaged, then cost neither an image nor memory nor a
warning, and the header is known before anything is allocated.
"""

import contextlib
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from ganzoo.data.exif import UPRIGHT, orientation

LARGEST_TEXT = 2**20
"""Most bytes that are looked at of a text that may hold the orientation, which stands near its begin."""


class Damaged(ValueError):  # noqa: N818 - it says what is wrong, not that it is an error
    """Bytes that are no image that is read; its message is one line."""


class Container(NamedTuple):
    """An image file without what makes no pixels.

    Args:
        kind: the name that Pillow has for the format.
        data: a file of that format.
        width, height: in pixels, as stored.
        grey: whether the file itself is grey, with or without alpha.
        orientation: how it is stored, 1 to 8, as EXIF has it.
        depth: bits of a value.
        key: the value, or three, of the pixels that are transparent; None: the file names none.
        coefficients: bytes a pixel, at most, that a decoder keeps of the whole image before the first pixel is made.
    """

    kind: str
    data: bytes | bytearray
    width: int
    height: int
    grey: bool = False
    orientation: int = UPRIGHT
    depth: int = 8
    key: tuple[int, ...] | None = None
    coefficients: int = 0


def unpack(data: bytes) -> Container:
    """Read the structure of an image file, by content.

    Raises:
        Damaged: it is none, or has no header.
    """
    if not data:
        raise Damaged("empty")
    try:
        if data.startswith(_PNG):
            return _png(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data)
    except (struct.error, IndexError):
        raise Damaged("damaged: its header is incomplete") from None
    raise Damaged("not a PNG, JPEG or WebP")


# PNG: https://www.w3.org/TR/png-3

_PNG = b"\x89PNG\r\n\x1a\n"
_GREY, _COLOUR, _PALETTE, _GREY_ALPHA = 0, 2, 3, 4
_KEYS = {_GREY: 2, _COLOUR: 6}
"""Bytes that name the transparent value; decoders pass over fewer."""

_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_CHUNK = struct.Struct(">I4s")
"""What a chunk begins with: how long its content is, and what it is."""


def _png(data: bytes) -> Container:
    header = key = None
    kept = bytearray(_PNG)
    exif = xmp = b""
    for kind, content, whole in _png_chunks(data):
        if kind in (b"IDAT", b"PLTE", b"IEND"):
            kept += whole
        elif kind == b"IHDR" and header is None:
            header = struct.unpack_from(">IIBB", content)
            kept += whole
        elif kind == b"tRNS" and header and header[3] == _PALETTE:
            kept += _png_chunk(kind, bytes(content[: 2 ** header[2]]))  # of more, Pillow says that it is damaged
        elif kind == b"tRNS" and header and len(content) >= _KEYS.get(header[3], len(content) + 1):
            key = struct.unpack_from(f">{_KEYS[header[3]] // 2}H", content)
        elif kind == b"eXIf":
            exif = bytes(content)
        elif kind in _TEXTS:
            keyword, text = _png_text(kind, bytes(content[:LARGEST_TEXT]))
            xmp = text if keyword == b"XML:com.adobe.xmp" else xmp
            exif = _raw_profile(text) if keyword == b"Raw profile type exif" and not exif else exif
    if header is None:
        raise Damaged("damaged: it has no header")
    width, height, depth, colour = header
    return Container(
        kind="PNG",
        data=kept,
        width=width,
        height=height,
        grey=colour in (_GREY, _GREY_ALPHA),
        orientation=orientation(exif, xmp),
        depth=depth,
        # A value has 16 bits here, of which those count that the depth has.
        key=None if key is None else tuple(value & (2**depth - 1) for value in key),
    )


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """The name, the content and the whole of each chunk, up to the end mark; the last may be cut off."""
    view, at = memoryview(data), len(_PNG)
    while at + 8 <= len(data):
        length, kind = _CHUNK.unpack_from(data, at)
        end = at + 8 + length
        yield kind, view[at + 8 : end], view[at : end + 4]
        if kind == b"IEND":
            return
        at = end + 4


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def _png_text(kind: bytes, content: bytes) -> tuple[bytes, bytes]:
    """Keyword and text of a chunk; the text is empty where it holds no orientation."""
    keyword, _, text = content.partition(b"\0")
    if keyword not in (b"XML:com.adobe.xmp", b"Raw profile type exif"):
        return keyword, b""
    compressed = kind == b"zTXt"
    if kind == b"iTXt":
        compressed, text = text[:1] == b"\1", text[2:].split(b"\0", 2)[-1]
    elif compressed:
        text = text[1:]
    if compressed:
        try:
            text = zlib.decompressobj().decompress(text, LARGEST_TEXT)
        except zlib.error:
            text = b""
    return keyword, text


def _raw_profile(text: bytes) -> bytes:
    """ImageMagick's form of EXIF: a name and a length, each on a line, then hexadecimal digits."""
    with contextlib.suppress(ValueError):
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii", "replace"))
    return b""


# JPEG: ITU-T T.81, Annex B

_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_SCAN = 0xDA
_WITHOUT_LENGTH = (0x00, 0x01, *range(0xD0, 0xDA))
_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def _jpeg(data: bytes) -> Container:
    frame: tuple[int, int, int, int] | None = None
    coefficients = 0
    kept = bytearray(data[:2])
    exif = xmp = b""
    for code, whole in _jpeg_segments(data):
        content = whole[4:]
        if code in _FRAMES:
            frame = struct.unpack_from(">BHHB", content)
            coefficients = 2 * frame[3] if code in _PROGRESSIVE else 0  # of 16 bits, a layer
        if code == 0xE1 and bytes(content[:6]) == b"Exif\0\0":
            exif += bytes(content[6:] if len(exif) < LARGEST_TEXT else b"")
        elif code == 0xE1 and bytes(content[: len(_XMP)]) == _XMP:
            xmp = bytes(content[len(_XMP) :])
        elif _makes_pixels(code, content):
            kept += whole
    if frame is None:
        raise Damaged("damaged: it has no header")
    depth, height, width, layers = frame
    return Container(
        kind="JPEG",
        data=kept,
        width=width,
        height=height,
        grey=layers == 1,
        orientation=orientation(exif, xmp),
        depth=depth,
        coefficients=coefficients,
    )


def _makes_pixels(code: int, content: memoryview) -> bool:
    """Whether decoders need a segment: two of the applications' say in which space the colours are."""
    if code == 0xE0:
        return bytes(content[:5]) == b"JFIF\0" and len(content) >= 14
    if code == 0xEE:
        return bytes(content[:5]) == b"Adobe" and len(content) >= 12
    return not 0xE0 <= code <= 0xEF and code != 0xFE


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """The code and the whole of each segment; the last one is the first scan with all that follows."""
    view, at = memoryview(data), 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        code, length = data[at + 1], 2 + int.from_bytes(view[at + 2 : at + 4])
        if code == 0xFF:  # filling
            at += 1
        elif code in _WITHOUT_LENGTH:
            at += 2
        elif code == _SCAN or length < 4:
            yield code, view[at:]
            return
        else:
            yield code, view[at : at + length]
            at += length


# WebP: https://developers.google.com/speed/webp/docs/riff_container

_PIXELS = (b"VP8X", b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF")
_FLAGS = 0b10010
"""The flags that say alpha and animation; others announce what is cut away."""


def _webp(data: bytes) -> Container:
    kept = bytearray()
    size: tuple[int, int] | None = None
    exif = xmp = b""
    for kind, content, whole in _webp_chunks(data):
        size = _webp_size(kind, content) if size is None else size
        if kind == b"EXIF":
            exif = bytes(content)
        elif kind == b"XMP ":
            xmp = bytes(content)
        elif kind == b"VP8X":
            kept += bytes(whole[:8]) + bytes([content[0] & _FLAGS]) + bytes(whole[9:])
        elif kind in _PIXELS:
            kept += whole
    if size is None:
        raise Damaged("damaged: it has no header")
    return Container(
        kind="WEBP",
        data=b"RIFF" + struct.pack("<I", 4 + len(kept)) + b"WEBP" + kept,
        width=size[0],
        height=size[1],
        orientation=orientation(exif, xmp),
    )


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """The name, the content and the whole of each chunk; the last may be cut off."""
    view, at = memoryview(data), 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", view, at)
        end = at + 8 + length
        yield kind, view[at + 8 : end], view[at : end + length % 2]
        at = end + length % 2


def _webp_size(kind: bytes, content: memoryview) -> tuple[int, int] | None:
    """Width and height, if the chunk says them."""
    if kind == b"VP8X":
        return int.from_bytes(content[4:7], "little") + 1, int.from_bytes(content[7:10], "little") + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 1)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 6)
        return width & 0x3FFF, height & 0x3FFF
    return None
