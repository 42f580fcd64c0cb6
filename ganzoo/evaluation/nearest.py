"""The samples that lie nearest to a training image: a copy is seen at once where both stand beside each other."""

import numpy as np
from numpy.typing import NDArray

from ganzoo.evaluation.checks import Float
from ganzoo.evaluation.figures import distances
from ganzoo.evaluation.within import thumbnails

MOST = 20_000
"""Most training images that are searched: evenly from all over the set, so that a large one costs seconds."""

CHUNK = 256
"""Images that are made small at once."""


def nearest(
    samples: NDArray[np.uint8], training: NDArray[np.uint8], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ``count`` samples with the smallest distance to a training image, nearest first.

    Args:
        samples, training: uint8 [N, C, H, W] and [M, C, H, W].

    Returns:
        Rows of ``samples`` and, for each, the row of ``training`` that is nearest to it, by the Euclidean distance of
        thumbnails of at most 16 x 16 pixels.
    """
    searched = np.linspace(0, len(training) - 1, min(len(training), MOST)).astype(np.int64)
    x, y = _small(samples, np.arange(len(samples))), _small(training, searched)
    rows, gaps = np.empty(len(x), np.int64), np.empty(len(x))
    for block, distance in distances(x, y):
        rows[block], gaps[block] = distance.argmin(axis=1), distance.min(axis=1)
    first = np.argsort(gaps, kind="stable")[:count]
    return first, searched[rows[first]]


def _small(pixels: NDArray[np.uint8], rows: NDArray[np.int64]) -> Float:
    parts = [thumbnails(pixels[rows[start : start + CHUNK]]) for start in range(0, len(rows), CHUNK)]
    return np.concatenate(parts)
