"""Decides at which of the 25 places a sample shows a dot."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ganzoo import UsageError
from ganzoo_plugins.dots.reader import JITTER, PLACES, SIZE, WIDTH, blobs

if TYPE_CHECKING:
    from ganzoo.evaluation import Modes

NEAR = 4 * JITTER
"""Largest distance from a place, in pixels: all but exp(-8) = 0.03 % of real dots are within it."""

TOLERANCE = math.sqrt(2 - 2 * math.exp(-((NEAR / (2 * WIDTH)) ** 2)))
"""Largest relative difference from a dot: |b(c + d) - b(c)| / |b(c)| for a move d of ``NEAR`` pixels, by the integral
of two dots' product: 0.46."""


class Places:
    """A sample x belongs to the place nearest to its centroid c if it is within 4 standard deviations of that mode.

    - In place: c is at most ``NEAR`` = 4 ``JITTER`` pixels from the place. Half-way between two places is 1.25.
    - In any other direction: |x - b(c)| <= ``TOLERANCE`` |b(c)|, where b(c) is the ideal dot around c. So x differs
      from a dot by no more than a dot that is 4 standard deviations away does. A dot of half the brightness, of 4/3
      the width, or with another one like it anywhere else differs by more.

    c is the mean of the pixels' positions weighted by x^2: if weighted by x, a hardly visible grey on the background
    would pull it to the middle of the image.
    """

    count = len(PLACES)

    def assign(self, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
        """See ``ganzoo.evaluation.Modes``."""
        if pixels.shape[1:] != (1, SIZE, SIZE):
            channels, height, width = pixels.shape[1:]
            raise UsageError(
                f"the places of dots are known for 1 x {SIZE} x {SIZE}, not for {channels} x {height} x {width}",
                hint=f"train with --size {SIZE}, or without --size",
            )
        samples = pixels[:, 0].astype(np.float64)
        weights = samples**2
        total = np.maximum(weights.sum((1, 2)), 1)
        axis = np.arange(SIZE)
        centroids = np.stack([weights.sum(2) @ axis, weights.sum(1) @ axis], 1) / total[:, None]
        ideal = blobs(centroids)
        residual = np.linalg.norm(samples - ideal, axis=(1, 2)) / np.linalg.norm(ideal, axis=(1, 2))
        offsets = np.linalg.norm(centroids[:, None] - PLACES, axis=2)
        good = (residual <= TOLERANCE) & (offsets.min(1) <= NEAR)
        return np.where(good, offsets.argmin(1), -1)


MODES: "Modes" = Places()
