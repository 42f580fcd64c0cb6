"""Large JPEGs are decoded no finer than needed; what is left of the difference is less than anybody sees."""

import io
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

from ganzoo.data.allocation import Allowance
from ganzoo.data.pixels import FINER, decode_file

LANCZOS = Image.Resampling.LANCZOS


@cache
def photograph(number: int, width: int, height: int) -> Image.Image:
    """One of two photographs, enlarged, with the noise of a camera."""
    small = Image.fromarray(load_sample_images().images[number])
    large = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC)).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 4, large.shape).astype(np.float32)
    return Image.fromarray((large + noise).clip(0, 255).astype(np.uint8))


def jpeg(image: Image.Image, orientation: int = 1, **options: Any) -> bytes:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    image.save(file, "JPEG", **{"quality": 90, "exif": exif, **options})
    return file.getvalue()


def in_full(data: bytes, size: int) -> NDArray[np.int64]:
    """What a decoder of all pixels, and then the filter, make of it."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    fitted = ImageOps.fit(image if image.mode == "L" else image.convert("RGB"), (size, size), LANCZOS)
    pixels = np.asarray(fitted).astype(np.int64)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def difference(data: bytes, size: int) -> float:
    """The mean, of 255."""
    return float(np.abs(decode_file(data, size, Allowance(2**30)) - in_full(data, size)).mean())


def test_twelve_megapixels_at_64() -> None:
    assert 0 < difference(jpeg(photograph(0, 4000, 3000)), 64) <= 0.5


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("size", [8, 17, 32, 64, 100])
def test_a_photograph_at_any_size(number: int, size: int) -> None:
    assert difference(jpeg(photograph(number, 1601, 1081)), size) <= 0.5


@pytest.mark.parametrize(
    "options",
    [{"subsampling": 0}, {"subsampling": 2}, {"progressive": True}, {"quality": 98}, {"quality": 40}],
    ids=str,
)
def test_however_it_was_compressed(options: dict[str, Any]) -> None:
    assert difference(jpeg(photograph(0, 1601, 1081), **options), 32) <= 0.5


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_in_whatever_colours(mode: str) -> None:
    data = jpeg(photograph(1, 1601, 1081).convert(mode))
    assert decode_file(data, 32, Allowance(2**30)).shape[0] == (1 if mode == "L" else 3)
    assert difference(data, 32) <= 0.5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("width", "height"), [(1601, 1081), (1081, 1603), (2000, 700), (1031, 1031)])
def test_however_it_was_held(width: int, height: int, orientation: int) -> None:
    """A decoder rounds up on the right and below, and these are not always on the right and below in the end."""
    assert difference(jpeg(photograph(0, width, height), orientation), 32) <= 0.5


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_what_is_not_that_large_is_decoded_in_full(form: str) -> None:
    """So these pixels, and the digests of their sets, never change."""
    file = io.BytesIO()
    photograph(0, 640, 427).crop((0, 0, 2 * FINER * 40 - 1, 427)).save(file, form)
    np.testing.assert_array_equal(decode_file(file.getvalue(), 40, Allowance(2**30)), in_full(file.getvalue(), 40))


def test_one_that_is_just_as_large_is_not() -> None:
    data = jpeg(photograph(0, 2 * FINER * 40, 427))
    assert 0 < difference(data, 40) <= 0.5
