"""Resize and centre-crop."""

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ganzoo.data.imageset import ImageSet


def fit(image: Image.Image, size: int) -> Image.Image:
    """The largest centred square of ``image``, resampled to size x size with an antialiased Lanczos filter."""
    if image.size == (size, size):
        return image
    return ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)


def resized(images: ImageSet, size: int | None) -> ImageSet:
    """The set at size x size pixels; as it is if ``size`` is None or fits already."""
    if size is None or images.pixels.shape[2:] == (size, size):
        return images
    pixels = np.stack([_fit_array(row, size) for row in images.pixels])
    return replace(images, pixels=pixels)


def _fit_array(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """One image [C, H, W], channel by channel, so that any number of channels will do."""
    channels = [np.asarray(fit(Image.fromarray(channel), size)) for channel in pixels]
    return cast("NDArray[np.uint8]", np.stack(channels))
