"""Resize and centre-crop what is decoded already."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganzoo.data.allocation import allocate
from ganzoo.data.imageset import ImageSet
from ganzoo.data.square import fit


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
