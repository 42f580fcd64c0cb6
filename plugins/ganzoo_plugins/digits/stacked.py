"""Three digits as red, green and blue: 1,000 known modes (Metz et al., 2017), here of 8 x 8 pixels."""

import functools
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from ganzoo import UsageError
from ganzoo.data import ImageSet
from ganzoo_plugins.digits import reader

if TYPE_CHECKING:
    from ganzoo.evaluation import Modes

SIZE = 8
COVERED = 0.95
"""Share of the held-out digits that lie within the radius around the training digits."""


def training() -> ImageSet:
    """20,000 triples of training digits, 20 a mode."""
    return _stack(reader.training(), 20, stream=0)


def held_out() -> ImageSet:
    """5,000 triples of held-out digits, 5 a mode."""
    return _stack(reader.held_out(), 5, stream=1)


def _stack(digits: ImageSet, a_mode: int, stream: int) -> ImageSet:
    """``a_mode`` triples of each mode, shuffled; the randomness is frozen (see ``ganzoo.latents``)."""
    random = np.random.RandomState(np.random.Philox(key=stream))
    labels = random.permutation(np.repeat(np.arange(1000), a_mode))
    classes = np.stack([labels // 100, labels // 10 % 10, labels % 10], 1)
    by_class = np.argsort(_classes(digits), kind="stable")
    counts = np.bincount(_classes(digits), minlength=10)
    first = np.cumsum(counts) - counts
    chosen = by_class[first[classes] + (random.random_sample(classes.shape) * counts[classes]).astype(np.int64)]
    return ImageSet(
        pixels=digits.pixels[chosen, 0],
        labels=labels,
        class_names=tuple(f"{mode:03}" for mode in range(1000)),
    )


class Triples:
    """A sample belongs to mode 100 r + 10 g + b if its channels are a digit r, a digit g and a digit b.

    A channel is a digit, of the class of its nearest training digit, if it lies within the radius around the training
    digits that holds 95 % of the held-out ones (L2 over pixels). A triple needs all three, so 88 % of the held-out
    triples are good, and cover 999 modes: that is what to compare a generator with.
    """

    count = 1000

    def assign(self, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
        """See ``ganzoo.evaluation.Modes``."""
        if pixels.shape[1:] != (3, SIZE, SIZE):
            channels, height, width = pixels.shape[1:]
            raise UsageError(
                f"the modes of stacked-digits are known for 3 x {SIZE} x {SIZE}, "
                f"not for {channels} x {height} x {width}",
                hint=f"train with --size {SIZE}, or without --size",
            )
        squares, classes = _nearest(pixels.reshape(-1, SIZE * SIZE))
        good = (squares <= _squared_radius()).reshape(-1, 3).all(1)
        return np.where(good, classes.reshape(-1, 3) @ [100, 10, 1], -1)


MODES: "Modes" = Triples()


@functools.cache
def _squared_radius() -> float:
    squares, _ = _nearest(reader.held_out().pixels.reshape(-1, SIZE * SIZE))
    return float(np.quantile(np.sqrt(squares), COVERED) ** 2)


@functools.cache
def _references() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    digits = reader.training()
    return digits.pixels.reshape(-1, SIZE * SIZE).astype(np.float32), _classes(digits)


def _classes(digits: ImageSet) -> NDArray[np.int64]:
    return cast("NDArray[np.int64]", digits.labels)


def _nearest(rows: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Squared distance [N] to the nearest training digit, and its class [N].

    All numbers on the way are integers below 2 * 64 * 255^2 < 2^24, which float32 holds exactly.
    """
    references, labels = _references()
    squared_norms = (references**2).sum(1)
    squares, classes = np.empty(len(rows), np.float32), np.empty(len(rows), np.int64)
    for start in range(0, len(rows), 4096):  # 4096 x 1438 distances at once are 24 MB
        part = rows[start : start + 4096].astype(np.float32)
        distances = squared_norms - 2 * (part @ references.T)
        nearest = distances.argmin(1)
        squares[start : start + 4096] = (part**2).sum(1) + distances[np.arange(len(part)), nearest]
        classes[start : start + 4096] = labels[nearest]
    return squares, classes
