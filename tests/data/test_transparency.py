"""PNGs of every colour type, depth, interlacing and kind of transparency, written here value by value.

What they should look like is computed from the same values, without a PNG in between.
"""

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from ganzoo.data.allocation import Allowance
from ganzoo.data.pixels import STRIP, decode_file

GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, COLOUR: 3, PALETTE: 1, GREY_ALPHA: 2, COLOUR_ALPHA: 4}
KINDS = [
    *[(GREY, depth) for depth in (1, 2, 4, 8, 16)],
    *[(COLOUR, depth) for depth in (8, 16)],
    *[(PALETTE, depth) for depth in (1, 2, 4, 8)],
    *[(GREY_ALPHA, depth) for depth in (8, 16)],
    *[(COLOUR_ALPHA, depth) for depth in (8, 16)],
]
"""All that the specification allows (https://www.w3.org/TR/png-3/#11IHDR)."""

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
"""First column, first row, and the steps from one to the next, of each pass."""

Values = NDArray[np.uint16]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def rows(values: Values, depth: int) -> bytes:
    """The values [H, W, C] as PNG stores them, each row behind the filter "none"."""
    if 0 in values.shape:
        return b""
    stored = []
    for row in values.reshape(len(values), -1):
        if depth == 16:
            stored.append(row.astype(">u2").tobytes())
        else:
            bits = row[:, None] >> np.arange(depth - 1, -1, -1) & 1
            stored.append(np.packbits(bits.astype(np.uint8)).tobytes())
    return b"".join(b"\0" + row for row in stored)


def png(values: Values, colour: int, depth: int, *, interlaced: bool = False, more: bytes = b"") -> bytes:
    height, width, _ = values.shape
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    passes = [values[y::down, x::across] for x, y, across, down in ADAM7] if interlaced else [values]
    body = zlib.compress(b"".join(rows(each, depth) for each in passes))
    parts = [chunk(b"IHDR", header), more, chunk(b"IDAT", body), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def eight_bits(values: Values, depth: int) -> NDArray[np.int64]:
    """The upper 8 of 16 bits; fewer than 8 are spread over 0 to 255."""
    wide = values.astype(np.int64)
    return wide >> 8 if depth == 16 else wide * 255 // (2**depth - 1)


def on_white(colours: NDArray[np.int64], alpha: NDArray[np.int64]) -> NDArray[np.float64]:
    """Colours [H, W, C] and alpha [H, W, 1], both 0 to 255; the result is [C, H, W]."""
    return ((colours * alpha + 255 * (255 - alpha)) / 255).transpose(2, 0, 1)


def read(data: bytes, size: int) -> NDArray[np.int64]:
    return decode_file(data, size, Allowance(2**30)).astype(np.int64)


def some(colour: int, depth: int, size: int, seed: int = 0) -> Values:
    """Values [size, size, C] of which each is there several times, so that a key meets more than one."""
    chance = np.random.default_rng(seed)
    palette = chance.integers(0, 2**depth, (5, CHANNELS[colour]), dtype=np.uint16)
    picked: Values = palette[chance.integers(0, 5, (size, size))]
    return picked


@pytest.mark.parametrize("interlaced", [False, True], ids=["straight", "interlaced"])
@pytest.mark.parametrize(("colour", "depth"), KINDS)
def test_every_kind_without_a_key(colour: int, depth: int, interlaced: bool) -> None:
    values, more, size = some(colour, depth, 9), b"", 9
    palette = np.random.default_rng(1).integers(0, 256, (2**depth, 3)) if colour == PALETTE else None
    if palette is not None:
        more = chunk(b"PLTE", palette.astype(np.uint8).tobytes())
        wanted = on_white(palette[values[..., 0]], np.full((size, size, 1), 255))
    elif colour in (GREY_ALPHA, COLOUR_ALPHA):
        eight = eight_bits(values, depth)
        wanted = on_white(eight[..., :-1], eight[..., -1:])
    else:
        wanted = on_white(eight_bits(values, depth), np.full((size, size, 1), 255))
    found = read(png(values, colour, depth, interlaced=interlaced, more=more), size)
    assert found.shape == wanted.shape  # one channel where the file itself is grey
    assert np.abs(found - wanted).max() <= 1


@pytest.mark.parametrize("interlaced", [False, True], ids=["straight", "interlaced"])
@pytest.mark.parametrize(("colour", "depth"), [kind for kind in KINDS if kind[0] in (GREY, COLOUR)])
def test_a_key_makes_its_own_value_white_and_no_other(colour: int, depth: int, interlaced: bool) -> None:
    values = some(colour, depth, 9)
    key = values[4, 4]
    if depth == 16:  # its neighbours share the upper byte, or the lower one, or two of three channels
        values[0, 0], values[0, 1] = key ^ 1, key ^ 0x100
        values[0, 2] = key
        values[0, 2, -1] ^= 1
    more = chunk(b"tRNS", key.astype(">u2").tobytes())
    wanted = eight_bits(values, depth)
    wanted[(values == key).all(axis=2)] = 255
    found = read(png(values, colour, depth, interlaced=interlaced, more=more), 9)
    np.testing.assert_array_equal(found, wanted.transpose(2, 0, 1))


@pytest.mark.parametrize("interlaced", [False, True], ids=["straight", "interlaced"])
@pytest.mark.parametrize("entries", ["none", "one", "some", "all", "too many"])
@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_each_colour_of_a_palette_has_its_alpha(depth: int, entries: str, interlaced: bool) -> None:
    values, count = some(PALETTE, depth, 9), 2**depth
    chance = np.random.default_rng(2)
    palette = chance.integers(0, 256, (count, 3))
    given = {"none": 0, "one": 1, "some": count // 2, "all": count, "too many": count + 3}[entries]
    alphas = np.zeros(1, np.int64) if entries == "one" else chance.integers(0, 256, given)
    more = chunk(b"PLTE", palette.astype(np.uint8).tobytes()) + chunk(b"tRNS", alphas.astype(np.uint8).tobytes())
    every = np.concatenate([alphas, np.full(count, 255)])[:count]  # those that are not given are opaque
    wanted = on_white(palette[values[..., 0]], every[values])
    found = read(png(values, PALETTE, depth, interlaced=interlaced, more=more), 9)
    assert found.shape == (3, 9, 9)
    assert np.abs(found - wanted).max() <= 1


@pytest.mark.parametrize(
    ("colour", "depth"), [(GREY_ALPHA, 8), (GREY_ALPHA, 16), (COLOUR_ALPHA, 8), (COLOUR_ALPHA, 16)]
)
def test_a_key_beside_an_alpha_channel_does_not_count(colour: int, depth: int) -> None:
    values = some(colour, depth, 9)
    values[..., -1] = 2**depth - 1
    plain = png(values, colour, depth)
    keyed = png(values, colour, depth, more=chunk(b"tRNS", values[4, 4, :-1].astype(">u2").tobytes()))
    np.testing.assert_array_equal(read(keyed, 9), read(plain, 9))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_of_a_key_the_bits_count_that_the_depth_has(depth: int) -> None:
    """The specification: "the least significant bits are used"."""
    values = np.arange(81, dtype=np.uint16).reshape(9, 9, 1) % 2**depth
    key = chunk(b"tRNS", struct.pack(">H", 1 | 0xAB00))
    assert (read(png(values, GREY, depth, more=key), 9)[0][values[..., 0] == 1] == 255).all()


@settings(deadline=None)
@given(data=st.data(), kind=st.sampled_from(KINDS), size=st.integers(1, 20), interlaced=st.booleans())
def test_any_values_come_back(data: st.DataObject, kind: tuple[int, int], size: int, interlaced: bool) -> None:
    colour, depth = kind
    values = some(colour, depth, size, seed=data.draw(st.integers(0, 1000)))
    more, alpha = b"", np.full((size, size, 1), 255)
    shown = eight_bits(values, depth)
    if colour == PALETTE:
        palette = np.random.default_rng(3).integers(0, 256, (2**depth, 3))
        more, shown = chunk(b"PLTE", palette.astype(np.uint8).tobytes()), palette[values[..., 0]]
    elif colour in (GREY_ALPHA, COLOUR_ALPHA):
        shown, alpha = shown[..., :-1], shown[..., -1:]
    elif data.draw(st.booleans()):
        key = values[size // 2, size // 2]
        more = chunk(b"tRNS", key.astype(">u2").tobytes())
        alpha = np.where((values == key).all(axis=2, keepdims=True), 0, 255)
    found = read(png(values, colour, depth, interlaced=interlaced, more=more), size)
    assert np.abs(found - on_white(shown, alpha)).max() <= 1


@pytest.mark.parametrize(("colour", "depth"), [(GREY, 16), (COLOUR, 16), (COLOUR_ALPHA, 8)])
def test_strips_are_as_the_whole(monkeypatch: pytest.MonkeyPatch, colour: int, depth: int) -> None:
    values = some(colour, depth, 19)
    more = b"" if colour == COLOUR_ALPHA else chunk(b"tRNS", values[4, 4].astype(">u2").tobytes())
    data = png(values, colour, depth, more=more)
    whole: Any = read(data, 7)
    assert STRIP > 19 * 19
    monkeypatch.setattr("ganzoo.data.pixels.STRIP", 4 * 19)
    np.testing.assert_array_equal(read(data, 7), whole)


@pytest.mark.parametrize("length", [0, 1, 3, 5])
@pytest.mark.parametrize(("colour", "depth"), [kind for kind in KINDS if kind[0] in (GREY, COLOUR)])
def test_a_key_that_is_cut_off_costs_no_image(colour: int, depth: int, length: int) -> None:
    values = some(colour, depth, 9)
    whole = values[4, 4].astype(">u2").tobytes()
    cut = png(values, colour, depth, more=chunk(b"tRNS", whole[: min(length, len(whole) - 1)]))
    np.testing.assert_array_equal(read(cut, 9), read(png(values, colour, depth), 9))
