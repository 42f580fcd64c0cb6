"""A mixture of 25 Gaussians on a grid (after Dumoulin et al., 2017), drawn as dots in images of 16 x 16 pixels.

A dot is b(p) = 255 exp(-|p - c|^2 / (2 WIDTH^2)) at pixel centres p = (row, column), 0 to 15, rounded. Its centre c is
one of the 5 x 5 places plus N(0, JITTER^2 I). Neighbouring places are 12.5 standard deviations apart, and the outer
ones 2 dot widths from the border.
"""

import numpy as np
from numpy.typing import NDArray

from ganzoo.data import ImageSet

SIZE = 16
WIDTH = 1.2
JITTER = 0.2
PLACES = np.stack(np.meshgrid(*[7.5 + 2.5 * np.arange(-2, 3)] * 2, indexing="ij"), -1).reshape(25, 2)
"""(row, column) of each place, in pixels, row by row."""


def training() -> ImageSet:
    """20,000 dots, 800 a place."""
    return _draw(800, stream=0)


def held_out() -> ImageSet:
    """5,000 dots, 200 a place."""
    return _draw(200, stream=1)


def blobs(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ideal dots [N, SIZE, SIZE], 0 to 255, not rounded, around centres [N, 2]."""
    profiles = np.exp(-((np.arange(SIZE) - centres[..., None]) ** 2) / (2 * WIDTH**2))
    rows, columns = profiles[:, 0, :, None], profiles[:, 1, None, :]
    return 255 * rows * columns


def _draw(a_place: int, stream: int) -> ImageSet:
    """Dots at all places in turn; the randomness is frozen (see ``ganzoo.latents``)."""
    labels = np.tile(np.arange(len(PLACES)), a_place)
    normal = np.random.RandomState(np.random.Philox(key=stream)).standard_normal((len(labels), 2))
    pixels = np.rint(blobs(PLACES[labels] + JITTER * normal)).astype(np.uint8)
    names = tuple(f"{row}-{column}" for row in range(1, 6) for column in range(1, 6))
    return ImageSet(pixels=pixels[:, None], labels=labels, class_names=names)
