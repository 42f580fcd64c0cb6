"""What stands beside the pixels in an image file never costs the image, whatever its size and however damaged."""

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from PIL import Image

from ganzoo.data.allocation import Allowance
from ganzoo.data.containers import Damaged, unpack
from ganzoo.data.exif import orientation
from ganzoo.data.pixels import decode_file

SIZE = 12
PIXELS = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
MEBIBYTE = 2**20


def plain(form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, form, **options)
    return file.getvalue()


PNG, JPEG, WEBP = plain("PNG"), plain("JPEG", quality=90), plain("WEBP", lossless=True)


def read(data: bytes) -> NDArray[np.uint8]:
    return decode_file(data, SIZE, Allowance(2**30))


def chunk(kind: bytes, content: bytes, check: int | None = None) -> bytes:
    crc = zlib.crc32(kind + content) if check is None else check
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def compressed(size: int) -> bytes:
    return zlib.compress(bytes(size), 1)


def before(data: bytes) -> bytes:
    """``data`` in front of the pixels of a PNG."""
    at = PNG.index(b"IDAT") - 4
    return PNG[:at] + data + PNG[at:]


def behind(data: bytes) -> bytes:
    """``data`` between the pixels and the end."""
    at = PNG.index(b"IEND") - 4
    return PNG[:at] + data + PNG[at:]


def among(data: bytes) -> bytes:
    """``data`` between two halves of the pixels."""
    at = PNG.index(b"IDAT")
    (length,) = struct.unpack(">I", PNG[at - 4 : at])
    pixels = PNG[at + 4 : at + 4 + length]
    end = at + 8 + length
    return PNG[: at - 4] + chunk(b"IDAT", pixels[:50]) + data + chunk(b"IDAT", pixels[50:]) + PNG[end:]


IN_A_PNG = {
    "a text that grows": before(chunk(b"zTXt", b"workflow\0\0" + compressed(3 * MEBIBYTE))),
    "a text of the world that grows": before(chunk(b"iTXt", b"a\0\1\0\0\0" + compressed(3 * MEBIBYTE))),
    "a text that grows behind": behind(chunk(b"zTXt", b"workflow\0\0" + compressed(3 * MEBIBYTE))),
    "Adobe's text that grows": before(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + compressed(3 * MEBIBYTE))),
    "more text than Pillow takes": before(chunk(b"tEXt", b"a\0" + bytes(MEBIBYTE)) * 66),
    "an unknown compression": before(chunk(b"zTXt", b"a\0\7abc")),
    "a text that is not compressed": before(chunk(b"zTXt", b"Raw profile type exif\0\0abc")),
    "a text without a keyword": before(chunk(b"tEXt", b"")),
    "a profile that grows": before(chunk(b"iCCP", b"a\0\0" + compressed(3 * MEBIBYTE))),
    "a profile of unknown compression": before(chunk(b"iCCP", b"a\0\3abc")),
    "an empty profile": before(chunk(b"iCCP", b"")),
    "a wrong check": before(chunk(b"tEXt", b"a\0b", check=1)),
    "a wrong check behind": behind(chunk(b"tEXt", b"a\0b", check=1)),
    "chunks that are too short": before(b"".join(chunk(kind, b"\0") for kind in (b"gAMA", b"cHRM", b"pHYs", b"sRGB"))),
    "a name that is none": before(chunk(b"\xff\x00?!", b"abc")),
    "a name of our own": before(chunk(b"teXt", bytes(MEBIBYTE))),
    "text between pixels": among(chunk(b"tEXt", b"a\0b")),
    "an animation of no frames": before(chunk(b"acTL", bytes(8)) * 2),
    "frames out of order": before(chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", bytes(26)) * 2),
    "damaged EXIF": before(chunk(b"eXIf", b"II*\0\xff\xff\xff\xff")),
    "cut off behind the pixels": behind(chunk(b"tEXt", b"a\0" + bytes(100)))[:-60],
    "no end": PNG[:-12],
    "something after the end": PNG + bytes(1000),
}


def segment(code: int, content: bytes) -> bytes:
    return b"\xff" + bytes([code]) + struct.pack(">H", len(content) + 2) + content


def with_segments(*segments: bytes) -> bytes:
    return JPEG[:2] + b"".join(segments) + JPEG[2:]


PHOTOSHOP = b"Photoshop 3.0\0" + b"8BIM\x03\xed"
IN_A_JPEG = {
    "a comment": with_segments(segment(0xFE, bytes(65000))),
    "Photoshop's, cut off": with_segments(segment(0xED, PHOTOSHOP)),
    "Photoshop's, cut off later": with_segments(segment(0xED, PHOTOSHOP + bytes(6))),
    "a short JFIF": with_segments(segment(0xE0, b"JFIF\0")),
    "a short Adobe": with_segments(segment(0xEE, b"Adobe")),
    "a profile that lacks parts": with_segments(segment(0xE2, b"ICC_PROFILE\0\1\7abc")),
    "a profile without a number": with_segments(segment(0xE2, b"ICC_PROFILE\0")),
    "a large profile": with_segments(
        *(segment(0xE2, b"ICC_PROFILE\0" + bytes([part, 100]) + bytes(65000)) for part in range(1, 101))
    ),
    "several pictures, damaged": with_segments(segment(0xE2, b"MPF\0II*\0\xff\xff\xff\xff")),
    "several pictures, of none": with_segments(segment(0xE2, b"MPF\0II*\0\x08\0\0\0\0\0\0\0\0\0")),
    "damaged EXIF": with_segments(segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff")),
    "EXIF of no kind": with_segments(segment(0xE1, b"Exif\0\0abc")),
    "much EXIF": with_segments(*(segment(0xE1, b"Exif\0\0" + bytes(65000)) for _ in range(100))),
    "a preview": with_segments(segment(0xE0, b"JFXX\0\x10" + bytes(60000))),
    "filling": JPEG[:2] + b"\xff" * 50 + JPEG[2:],
}


def riff(*chunks: tuple[bytes, bytes], flags: int = 0) -> bytes:
    """A lossless WebP with more chunks behind its pixels, as an extended file."""
    pixels = WEBP[12:]
    extended = struct.pack("<B3x", flags) + (SIZE - 1).to_bytes(3, "little") * 2
    padded = [kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + extended + pixels + b"".join(padded)
    return b"RIFF" + struct.pack("<I", len(body)) + body


IN_A_WEBP = {
    "EXIF": riff((b"EXIF", b"II*\0\xff\xff\xff\xff"), flags=8),
    "EXIF of an odd length": riff((b"EXIF", b"abc"), flags=8),
    "a profile behind the pixels": riff((b"ICCP", bytes(MEBIBYTE)), flags=32),
    "Adobe's text": riff((b"XMP ", b"<x:xmpmeta" + bytes(MEBIBYTE)), flags=4),
    "what nobody knows": riff((b"abcd", bytes(1001))),
    "flags without what they announce": riff(flags=0b101100),
    "cut off behind the pixels": riff((b"EXIF", bytes(1000)), flags=8)[:-500],
    "something after the end": WEBP + bytes(1001),
}


ODD = {
    **{f"png: {name}": (data, PNG) for name, data in IN_A_PNG.items()},
    **{f"jpeg: {name}": (data, JPEG) for name, data in IN_A_JPEG.items()},
    **{f"webp: {name}": (data, WEBP) for name, data in IN_A_WEBP.items()},
}


@pytest.mark.parametrize(("data", "clean"), ODD.values(), ids=ODD)
def test_the_pixels_are_those_of_the_clean_file(data: bytes, clean: bytes) -> None:
    """Warnings are errors here, so Pillow had none."""
    pixels = np.asarray(Image.open(io.BytesIO(clean)).convert("RGB"))
    np.testing.assert_array_equal(read(data), pixels.transpose(2, 0, 1))


def test_nothing_but_pixels_reaches_the_decoder() -> None:
    for name, (data, _) in ODD.items():
        assert len(unpack(data).data) < 2000, name


# Orientation


def tiff(*entries: tuple[int, int, int, bytes], order: str = "<", first: int = 8) -> bytes:
    """EXIF's structure: (tag, type, count, four bytes) each."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", first)
    body = struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        body += struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")
    return head.ljust(first, b"\0") + body + bytes(4)


SIX = (0x0112, 3, 1, struct.pack("<H", 6))
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
RAW = b"\nexif\n      40\n" + (b"Exif\0\0" + tiff(SIX)).hex().encode() + b"\n"

TURNED = {
    "png": before(chunk(b"eXIf", tiff(SIX))),
    "png, behind": behind(chunk(b"eXIf", tiff(SIX))),
    "png, with a prefix": before(chunk(b"eXIf", b"Exif\0\0" + tiff(SIX))),
    "png, Adobe's": before(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)),
    "png, Adobe's, compressed": before(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP))),
    "png, ImageMagick's": before(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(RAW))),
    "png, ImageMagick's, plain": before(chunk(b"tEXt", b"Raw profile type exif\0" + RAW)),
    "jpeg": with_segments(segment(0xE1, b"Exif\0\0" + tiff(SIX))),
    "jpeg, prefix twice": with_segments(segment(0xE1, b"Exif\0\0" * 2 + tiff(SIX))),
    "jpeg, in two parts": with_segments(
        segment(0xE1, b"Exif\0\0" + tiff(SIX)[:12]), segment(0xE1, b"Exif\0\0" + tiff(SIX)[12:])
    ),
    "jpeg, Adobe's": with_segments(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)),
    "webp": riff((b"EXIF", tiff(SIX)), flags=8),
    "webp, Adobe's": riff((b"XMP ", XMP), flags=4),
}


@pytest.mark.parametrize("name", TURNED)
def test_the_orientation_is_found_wherever_it_stands(name: str) -> None:
    upright = np.rot90(read({"p": PNG, "j": JPEG, "w": WEBP}[name[0]]), -1, axes=(1, 2))
    np.testing.assert_array_equal(read(TURNED[name]), upright)


OTHERS: dict[str, tuple[int, int, int, bytes]] = {
    "a negative rational over nothing": (0x11A, 10, 1, b"\xff\xff\xff\xff"),
    "a text for a number": (0x11A, 2, 3, b"72"),
    "a unit in words": (0x128, 2, 4, b"abc"),
    "a type that is none": (0x132, 99, 1, b""),
    "a count beyond the file": (0x10F, 2, 2**32 - 1, b"\xff" * 4),
    "an offset beyond the file": (0x8769, 4, 1, b"\xff" * 4),
    "a directory within itself": (0x8769, 4, 1, b"\x08\0\0\0"),
    "a float": (0x11A, 11, 1, b"\0\0\xc0\x7f"),
}


@pytest.mark.parametrize("entry", OTHERS.values(), ids=OTHERS)
def test_other_tags_are_passed_over(entry: tuple[int, int, int, bytes]) -> None:
    assert orientation(tiff(entry, SIX)) == 6
    assert orientation(tiff(SIX, entry)) == 6


@pytest.mark.parametrize(
    ("exif", "wanted"),
    [
        (tiff((0x0112, 3, 1, b"\0\x08"), order=">"), 8),
        (tiff((0x0112, 4, 1, b"\x03\0\0\0")), 3),
        (tiff((0x0112, 1, 1, b"\x05")), 5),
        (tiff(SIX, first=1000), 6),
        (tiff((0x0112, 3, 1, b"\x09\0")), 1),
        (tiff((0x0112, 3, 0, b"\x06\0")), 1),
        (tiff((0x0112, 2, 1, b"6\0")), 1),
        (tiff(SIX)[:20], 1),
        (tiff(SIX)[:8] + b"\xff\xff" + tiff(SIX)[10:], 6),
        (b"", 1),
        (b"Exif\0\0", 1),
        (b"MM\0+" + bytes(40), 1),
    ],
)
def test_an_orientation_that_is_odd(exif: bytes, wanted: int) -> None:
    assert orientation(exif) == wanted


def test_exif_counts_before_adobes_form_of_it() -> None:
    assert orientation(tiff((0x0112, 3, 1, b"\x01\0")), XMP) == 1
    assert orientation(b"", XMP) == 6
    assert orientation(b"", b"<tiff:Orientation>8</tiff:Orientation>") == 8


@settings(deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_no_bytes_break_the_search_for_the_orientation(exif: bytes, xmp: bytes) -> None:
    assert orientation(exif, xmp) in range(1, 9)
    assert orientation(b"II*\0\x08\0\0\0" + exif, b"tiff:Orientation=" + xmp) in range(1, 9)


@settings(deadline=None)
@given(st.sampled_from([PNG, JPEG, WEBP]), st.data())
def test_a_damaged_file_is_unpacked_or_damaged(whole: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(whole)))
    change = data.draw(st.sampled_from(["cut", "replace", "insert"]))
    noise = data.draw(st.binary(max_size=20))
    files: dict[str, Callable[[], bytes]] = {
        "cut": lambda: whole[:at],
        "replace": lambda: whole[:at] + noise + whole[at + len(noise) :],
        "insert": lambda: whole[:at] + noise + whole[at:],
    }
    with contextlib.suppress(Damaged):
        assert unpack(files[change]()).kind in ("PNG", "JPEG", "WEBP")


@pytest.mark.parametrize(
    "written",
    [
        *('tiff:Orientation="6"', "tiff:Orientation='6'", 'tiff:Orientation = "6"', "tiff:Orientation=\n  '6'"),
        *("<tiff:Orientation>6</tiff:Orientation>", "<tiff:Orientation> 6 </tiff:Orientation>"),
    ],
)
def test_adobes_orientation_in_every_spelling_of_xml(written: str) -> None:
    assert orientation(b"", f"<x:xmpmeta {written} />".encode()) == 6
