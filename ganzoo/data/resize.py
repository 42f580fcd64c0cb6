"""Resize and centre-crop."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo.data.allocation import allocate
from ganzoo.data.imageset import ImageSet

FILTER = Image.Resampling.LANCZOS
"""Resampling filter, antialiased: it averages over all pixels that go into one."""


def fit(image: Image.Image, size: int, extent: tuple[float, float] | None = None) -> Image.Image:
    """The largest centred square of ``image``, resampled to size x size.

    Args:
        extent: width and height in pixels of ``image``, where a decoder has rounded them up; None: its own.
    """
    width, height = extent or image.size
    if (width, height) == (size, size):
        return image
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return image.resize((size, size), FILTER, box=(left, top, left + side, top + side))


def fit_pixels(pixels: NDArray[np.uint8], size: int | None) -> NDArray[np.uint8]:
    """One image [C, H, W], for any C, cropped and resampled to size x size; None keeps its size."""
    if size is None or pixels.shape[1:] == (size, size):
        return pixels
    return np.stack([np.asarray(fit(Image.fromarray(channel), size)) for channel in pixels])


def resized(images: ImageSet, size: int | None) -> ImageSet:
    """The set at size x size pixels; as it is if ``size`` is None or fits already."""
    if size is None or images.pixels.shape[2:] == (size, size):
        return images
    pixels = allocate((*images.pixels.shape[:2], size, size))
    for index, image in enumerate(images.pixels):
        pixels[index] = fit_pixels(image, size)
    return replace(images, pixels=pixels)
