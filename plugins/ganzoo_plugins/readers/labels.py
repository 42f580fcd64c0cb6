"""Class labels, as files of encoded images have them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import UsageError

_LARGEST = np.iinfo(np.int64).max


def classes(
    path: Path, labels: Sequence[object], names: Sequence[str] = ()
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels and class names for ``EncodedImages``; without ``names``, each number that occurs is its class's name.

    Raises:
        UsageError: the labels are not whole numbers from 0, or the names do not fit them.
    """
    if odd := [label for label in labels if type(label) is not int or abs(label) > _LARGEST]:
        raise UsageError(f"{path}: {odd[0]!r:.40} is not a class number", hint="number the classes from 0")
    numbers = np.array(labels, np.int64)
    low, high = int(numbers.min()), int(numbers.max())
    if low < 0 or (names and high >= len(names)):
        raise UsageError(
            f"{path}: labels lie in {low} to {high}{f', for {len(names)} class names' if names else ''}",
            hint="number the classes from 0, in the order of their names",
        )
    if len(set(names)) < len(names):
        raise UsageError(f"{path}: class names must differ from one another", hint="rename or merge classes")
    if names:
        return numbers, tuple(names)
    values, numbers = np.unique(numbers, return_inverse=True)
    return numbers.astype(np.int64), tuple(str(value) for value in values)
