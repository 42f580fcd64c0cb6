"""How much the images of one class differ from one another, relative to real ones: a label is not all there is."""

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import UsageError
from ganzoo.evaluation.checks import Float, whole_numbers

THUMBNAIL = 16
"""Pixels of a thumbnail's side: noise in single pixels is no variety, and memory does not grow with image size."""

ALIKE = 1e-9
"""Largest variance, relative to the mean square, of images that are the same: what rounding leaves of it."""


class WithinClasses:
    """Sums over the thumbnails of labelled images, which arrive in batches.

    Args:
        classes: how many classes the labels tell apart.
    """

    def __init__(self, classes: int) -> None:
        self._counts = np.zeros(classes)
        self._sums: Float = np.zeros((classes, 0))
        self._squares = np.zeros(classes)

    def add(self, thumbnails: Float, labels: NDArray[np.int64]) -> None:
        """Take in thumbnails [m, D] and their labels [m].

        Raises:
            UsageError: a label is out of range.
        """
        classes = len(self._counts)
        labels = whole_numbers(labels, len(thumbnails), 0, classes, "labels")
        if not self._sums.shape[1]:
            self._sums = np.zeros((classes, thumbnails.shape[1]))
        np.add.at(self._sums, labels, thumbnails)
        np.add.at(self._squares, labels, np.square(thumbnails).sum(axis=1))
        self._counts += np.bincount(labels, minlength=classes)

    @property
    def deviations(self) -> Float:
        """[K]: the root of each class's variance, summed over pixels; NaN for a class of fewer than 2 images."""
        enough = self._counts >= 2
        counts = np.where(enough, self._counts, np.nan)
        means = np.square(self._sums).sum(axis=1) / counts
        scatter = self._squares - means
        scatter[scatter <= ALIKE * self._squares] = 0.0
        return np.asarray(np.sqrt(scatter / (counts - 1)))


def thumbnails(pixels: NDArray[np.uint8]) -> Float:
    """uint8 [n, C, H, W] -> [n, D]: means over a grid of at most 16 x 16 cells, the pixels centred at 0."""
    small = pixels.astype(np.float64) - 127.5
    for axis in (2, 3):
        side = small.shape[axis]
        cells = min(side, THUMBNAIL)
        edges = np.arange(cells + 1) * side // cells
        shape = [1, 1, 1, 1]
        shape[axis] = cells
        small = np.add.reduceat(small, edges[:-1], axis=axis) / np.diff(edges).reshape(shape)
    return small.reshape(len(pixels), -1)


def class_deviations(fake: WithinClasses, real: WithinClasses) -> dict[str, float]:
    """``class_deviation`` and ``least_class_deviation``: over the classes of two images at least, on both sides.

    Each class's deviation is relative to that of the real images of the class: 1 is as they are, 0 is one image a
    class. Classes whose real images are all the same do not count; where none is left, there are no figures.

    Raises:
        UsageError: the classes are not the same number.
    """
    made, true = fake.deviations, real.deviations
    if len(made) != len(true):
        raise UsageError(f"{len(made)} classes and {len(true)} cannot be compared", hint="give both the same labels")
    known = np.isfinite(made) & (np.nan_to_num(true) > 0)
    if not known.any():
        return {}
    relative = made[known] / true[known]
    return {"class_deviation": float(relative.mean()), "least_class_deviation": float(relative.min())}
