"""From an image file to pixels: geometry, colour, depth and transparency."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo.data import ImageSet
from ganzoo.data.decode import decode
from ganzoo_plugins.readers.folder import read as read_folder

Put = Callable[..., Path]
Noise = Callable[..., Any]


def read(root: Path, size: int = 8, strict: bool = True) -> ImageSet:
    return decode(read_folder(root), size, strict=strict, source=str(root))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_upright_by_their_exif_tag(put: Put, noise: Noise, orientation: int) -> None:
    stored = Image.fromarray(noise(8, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    turn: dict[int, Callable[[Any], Any]] = {
        1: lambda x: x,
        2: np.fliplr,
        3: lambda x: np.rot90(x, 2),
        4: np.flipud,
        5: np.transpose,
        6: lambda x: np.rot90(x, -1),
        7: lambda x: np.rot90(x, 2).T,
        8: np.rot90,
    }
    images = read(put("a.png", stored, exif=exif.tobytes()))
    np.testing.assert_array_equal(images.pixels[0, 0], turn[orientation](np.asarray(stored)))


@pytest.mark.parametrize(("height", "width"), [(16, 48), (48, 16), (16, 16), (17, 50)])
def test_the_centre_square_is_what_is_kept(put: Put, height: int, width: int) -> None:
    """White in the centre square, black outside: after the crop nothing black is left but a rim of one pixel."""
    pixels = np.zeros((height, width), np.uint8)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    pixels[top : top + side + 1, left : left + side + 1] = 255
    images = read(put("a.png", Image.fromarray(pixels)))
    assert images.pixels.shape == (1, 1, 8, 8)
    assert images.pixels[0, 0, 1:-1, 1:-1].min() >= 250
    assert images.pixels.mean() > 245


def test_shrinking_keeps_the_mean_and_the_order_of_rows_and_columns(put: Put) -> None:
    rows, columns = np.mgrid[0:64, 0:64]
    images = read(put("a.png", Image.fromarray((3 * rows + columns).astype(np.uint8))))
    wanted = (3 * rows + columns).reshape(8, 8, 8, 8).mean((1, 3))
    assert np.abs(images.pixels[0, 0].astype(float) - wanted)[1:-1, 1:-1].max() <= 1


def test_16_bit_grey_with_a_transparent_value(put: Put) -> None:
    values = np.full((8, 8), 0x3412, np.uint16)
    values[0] = 0x3413
    images = read(put("a.png", Image.fromarray(values), transparency=0x3413))
    assert images.pixels[0, 0, 0].tolist() == [255] * 8
    assert (images.pixels[0, 0, 1:] == 0x34).all()


def test_enlarging_a_flat_image_keeps_its_value(put: Put) -> None:
    images = read(put("a.png", Image.new("L", (3, 5), 77)), size=32)
    assert (images.pixels == 77).all()
    assert images.pixels.shape == (1, 1, 32, 32)


def test_all_grey_is_one_channel_and_a_mix_is_three(put: Put) -> None:
    put("a.png", Image.new("L", (8, 8), 9))
    put("b.png", Image.new("1", (8, 8), 1))
    root = put("c.png", Image.new("LA", (8, 8), (50, 255)))
    assert read(root).pixels.shape == (3, 1, 8, 8)
    put("d.png", Image.new("RGB", (8, 8), (1, 2, 3)))
    mixed = read(root).pixels
    assert mixed[:, :, 0, 0].tolist() == [[9] * 3, [255] * 3, [50] * 3, [1, 2, 3]]


@pytest.mark.parametrize(
    ("image", "options", "wanted"),
    [
        (Image.new("RGBA", (8, 8), (10, 20, 30, 255)), {}, [10, 20, 30]),
        (Image.new("RGBA", (8, 8), (10, 20, 30, 0)), {}, [255, 255, 255]),
        (Image.new("RGBA", (8, 8), (0, 100, 200, 51)), {}, [204, 224, 244]),
        (Image.new("LA", (8, 8), (0, 51)), {}, [204]),
        (Image.new("L", (8, 8), 7), {"transparency": 7}, [255]),
        (Image.new("RGB", (8, 8), (1, 2, 3)), {"transparency": (1, 2, 3)}, [255, 255, 255]),
        (Image.new("RGB", (8, 8), (40, 80, 120)).convert("P"), {}, None),
        (Image.new("RGB", (8, 8), (40, 80, 120)).quantize(2), {"transparency": 0}, [255, 255, 255]),
    ],
    ids=["opaque", "clear", "fifth", "grey-fifth", "grey-key", "colour-key", "palette", "palette-key"],
)
def test_transparency_becomes_white(put: Put, image: Image.Image, options: dict[str, Any], wanted: Any) -> None:
    pixels = read(put("a.png", image, **options)).pixels[0, :, 0, 0]
    assert np.abs(pixels.astype(int) - (wanted or np.asarray(image.convert("RGB"))[0, 0])).max() <= 1


def test_sixteen_bits_are_cut_to_their_upper_eight(put: Put) -> None:
    values = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    images = read(put("a.png", Image.fromarray(values)))
    np.testing.assert_array_equal(images.pixels[0, 0], values >> 8)


def test_cmyk_jpegs_become_rgb(put: Put) -> None:
    images = read(put("a.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=95))
    assert np.abs(images.pixels[0, :, 4, 4].astype(int) - [255, 0, 0]).max() <= 6
