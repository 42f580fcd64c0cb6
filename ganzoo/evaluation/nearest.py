"""The samples that lie nearest to a training image: a copy is seen at once where both stand beside each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganzoo.evaluation.checks import Float
from ganzoo.evaluation.figures import distances
from ganzoo.evaluation.within import thumbnails

MOST = 20_000
"""Most training images that are searched: evenly from all over the set, so that a large one costs seconds."""

CHUNK = 256
"""Images that are made small at once."""


@dataclass(frozen=True)
class Pairs:
    """Samples and the training images that they are nearest to.

    Args:
        samples: rows of the samples, [n].
        training: for each the row of its training image.
        mirrored: for each whether that image is nearest when it is mirrored.
    """

    samples: NDArray[np.int64]
    training: NDArray[np.int64]
    mirrored: NDArray[np.bool_]


def nearest(samples: NDArray[np.uint8], training: NDArray[np.uint8], count: int) -> Pairs:
    """The ``count`` samples with the smallest distance to a training image or its mirror image, nearest first.

    The distance is the Euclidean one of thumbnails of at most 16 x 16 pixels.

    Args:
        samples, training: uint8 [N, C, H, W] and [M, C, H, W].
    """
    searched = np.linspace(0, len(training) - 1, min(len(training), MOST)).astype(np.int64)
    kept = _small(training, searched)
    found = []
    for ours in (samples, samples[..., ::-1]):  # to mirror these is cheaper, and the same
        rows, gaps = np.empty(len(ours), np.int64), np.empty(len(ours))
        for block, distance in distances(_small(ours, np.arange(len(ours))), kept):
            rows[block], gaps[block] = distance.argmin(axis=1), distance.min(axis=1)
        found.append((rows, gaps))
    (plain, gaps), (turned, gaps_turned) = found
    mirrored = gaps_turned < gaps
    first = np.argsort(np.minimum(gaps, gaps_turned), kind="stable")[:count]
    return Pairs(first, searched[np.where(mirrored, turned, plain)[first]], mirrored[first])


def _small(pixels: NDArray[np.uint8], rows: NDArray[np.int64]) -> Float:
    parts = [thumbnails(pixels[rows[start : start + CHUNK]]) for start in range(0, len(rows), CHUNK)]
    return np.concatenate(parts)
