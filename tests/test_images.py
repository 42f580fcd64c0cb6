import io

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from PIL import Image

from ganzoo.errors import ExitCode, GanzooError, UsageError
from ganzoo.images import GAP, encode_npy, encode_picture, encode_png, grid, to_uint8

RNG = np.random.default_rng(0)


def pixels(*shape: int) -> NDArray[np.uint8]:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def decode(data: bytes) -> tuple[str, NDArray[np.uint8]]:
    with Image.open(io.BytesIO(data)) as picture:
        return picture.mode, np.array(picture)


def test_every_level_comes_back() -> None:
    levels = np.arange(256, dtype=np.float32)
    images = (levels / np.float32(127.5) - 1).reshape(1, 1, 16, 16)
    assert to_uint8(images).ravel().tolist() == list(range(256))


def test_clamps_and_rounds() -> None:
    images = np.array([-1, 1, -7, 1.004, 0, 300], np.float32).reshape(1, 1, 1, 6)
    assert to_uint8(images).ravel().tolist() == [0, 255, 0, 255, 128, 255]


def test_channels_stay_first() -> None:
    images = np.zeros((2, 3, 4, 5), np.float32)
    images[1, 2, 3, 4] = 1
    converted = to_uint8(images)
    assert converted.shape == (2, 3, 4, 5)
    assert converted.dtype == np.uint8
    assert converted[1, 2, 3, 4] == 255


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_pixels_are_an_error_that_names_the_image(bad: float) -> None:
    images = np.zeros((4, 1, 2, 2), np.float32)
    images[2, 0, 1, 0] = bad
    with pytest.raises(GanzooError) as caught:
        to_uint8(images, start=30)
    assert str(caught.value) == "image 32 has pixels that are not finite numbers"
    assert caught.value.hint is not None
    assert caught.value.exit_code == ExitCode.FAILURE


def test_grid_is_near_square_with_gaps_and_white_rests() -> None:
    images = pixels(7, 3, 64, 50)
    sheet = grid(images)
    assert sheet.shape == (3, 3 * 64 + 2 * GAP, 3 * 50 + 2 * GAP)
    for index, image in enumerate(images):
        top, left = index // 3 * (64 + GAP), index % 3 * (50 + GAP)
        assert (sheet[:, top : top + 64, left : left + 50] == image).all()
    assert (sheet[:, 64 : 64 + GAP] == 255).all()
    assert (sheet[:, :, 50 : 50 + GAP] == 255).all()
    assert (sheet[:, 2 * (64 + GAP) :, 50:] == 255).all()


@pytest.mark.parametrize(("height", "factor"), [(8, 6), (28, 2), (47, 2), (48, 1), (256, 1)])
def test_small_images_are_magnified(height: int, factor: int) -> None:
    images = pixels(1, 1, height, 8)
    sheet = grid(images)
    assert sheet.shape == (1, height * factor, 8 * factor)
    assert (sheet[:, ::factor, ::factor] == images[0]).all()
    assert (sheet[:, factor - 1 :: factor, factor - 1 :: factor] == images[0]).all()


@pytest.mark.parametrize(("columns", "size"), [(1, (5, 1)), (5, (1, 5)), (9, (1, 5)), (2, (3, 2)), (None, (2, 3))])
def test_grid_columns(columns: int | None, size: tuple[int, int]) -> None:
    sheet = grid(pixels(5, 1, 60, 60), columns)
    assert sheet.shape[1:] == tuple(60 * tiles + GAP * (tiles - 1) for tiles in size)


@pytest.mark.parametrize(("count", "columns"), [(0, None), (3, 0), (3, -1)])
def test_grid_of_nothing(count: int, columns: int | None) -> None:
    with pytest.raises(UsageError, match="at least one image and one column") as caught:
        grid(pixels(count, 1, 8, 8), columns)
    assert caught.value.hint == "ask for n >= 1"
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_png_round_trip(channels: int, mode: str) -> None:
    image = pixels(channels, 5, 7)
    data = encode_png(image)
    found, back = decode(data)
    assert found == mode
    assert (back.reshape(5, 7, channels).transpose(2, 0, 1) == image).all()
    assert encode_png(image[:, ::-1][:, ::-1]) == data


@given(
    shape=st.tuples(st.sampled_from([1, 3, 4]), st.integers(1, 40), st.integers(1, 40)), seed=st.integers(0, 2**32 - 1)
)
def test_another_library_reads_every_png(shape: tuple[int, int, int], seed: int) -> None:
    """Few shades, so that there are runs; of any length, so that some are longer than deflate's 258 bytes."""
    shades = np.random.default_rng(seed).integers(0, 2, shape, np.uint8) * 255
    _, back = decode(encode_png(shades.repeat(7, axis=2)))
    assert (back.reshape(shape[1], 7 * shape[2], shape[0])[:, ::7].transpose(2, 0, 1) == shades).all()


def test_png_of_other_channels() -> None:
    with pytest.raises(UsageError) as caught:
        encode_png(pixels(2, 4, 4))
    assert str(caught.value) == "a PNG has 1, 3 or 4 channels, and these images have 2"
    assert caught.value.hint == "write an array instead: npy"
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(("suffix", "longest"), [(".webp", 16_383), (".jpg", 65_500)])
def test_pictures_that_a_format_cannot_hold(suffix: str, longest: int) -> None:
    encode_picture(np.zeros((1, longest, 1), np.uint8), suffix)
    with pytest.raises(
        UsageError, match=rf"at most {longest:,} pixels a side, and this picture is 1 x {longest + 1:,}(\n|$)"
    ):
        encode_picture(np.zeros((1, longest + 1, 1), np.uint8), suffix)


def test_npy_round_trip() -> None:
    images = to_uint8(RNG.normal(size=(3, 2, 4, 5)).astype(np.float32))
    back = np.load(io.BytesIO(encode_npy(images)), allow_pickle=False)
    assert back.dtype == np.uint8
    assert back.flags.c_contiguous
    assert (back == images.transpose(0, 2, 3, 1)).all()


def test_a_grid_that_does_not_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    many = np.broadcast_to(np.zeros((1, 3, 64, 64), np.uint8), (10**8, 3, 64, 64))
    with pytest.raises(UsageError, match=r"a grid of 100,000,000 images needs 5227\.2 GB of memory, and ") as caught:
        grid(many)
    assert caught.value.hint == "ask for fewer images, or write an array instead: npy"
    monkeypatch.setattr("ganzoo.images.memory", lambda: 0)  # what is small is not asked about
    assert grid(many[:100]).shape == (3, 658, 658)
