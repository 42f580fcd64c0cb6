"""Rings in 8 x 8 pixels, around the middle."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganzoo import UsageError
from ganzoo.data import ImageSet


def read(path: Path) -> ImageSet:
    """The radii in a text file."""
    try:
        return drawn([float(line) for line in path.read_text().split()])
    except ValueError as error:
        raise UsageError(f"{path}: {error}", hint="a radius in pixels a line") from error


def training() -> ImageSet:
    """Forty of each radius."""
    return drawn([1, 2, 3] * 40)


def held_out() -> ImageSet:
    """Ten of each radius."""
    return drawn([1, 2, 3] * 10)


def drawn(radii: list[float]) -> ImageSet:
    """A ring for each radius."""
    y, x = np.mgrid[:8, :8] - 3.5
    off = np.abs(np.hypot(x, y)[None] - np.array(radii)[:, None, None])
    return ImageSet(pixels=(255 * np.clip(1 - off, 0, 1)).astype(np.uint8)[:, None])


class Radii:
    """A sample belongs to the radius whose ring it is nearest to."""

    count = 3

    def assign(self, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
        rings = drawn([1, 2, 3]).pixels.astype(float)
        return np.array([np.abs(rings - image).sum((1, 2, 3)).argmin() for image in pixels.astype(float)])


RADII = Radii()
