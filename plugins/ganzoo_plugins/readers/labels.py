"""Class labels: numbers in files, or the folders that images lie in."""

from collections.abc import Sequence
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from ganzoo import UsageError

Classes = tuple[NDArray[np.int64] | None, tuple[str, ...]]
"""Labels and class names as an ``ImageSet`` has them."""

_LARGEST = np.iinfo(np.int64).max


def classes(path: Path, labels: Sequence[object], names: Sequence[str] = ()) -> Classes:
    """Labels and class names from numbers; without ``names``, each number that occurs is its class's name.

    A single class says nothing, so its images are unlabelled.

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
    values, places = np.unique(numbers, return_inverse=True)
    if len(names or values) < 2:
        return None, ()
    return (numbers, tuple(names)) if names else (places.astype(np.int64), tuple(map(str, values)))


def folder_classes(path: Path, names: Sequence[PurePath]) -> Classes:
    """Labels and class names from the first folder of each name below ``path``, in the order of the folders' names.

    A single folder says nothing, so its images are unlabelled.

    Raises:
        UsageError: images lie both beside and in class folders.
    """
    folders = [name.parts[0] if len(name.parts) > 1 else "" for name in names]
    class_names = tuple(sorted(set(folders)))
    if len(class_names) < 2:
        return None, ()
    if "" in folders:
        beside = names[folders.index("")]
        raise UsageError(
            f"{path}: images lie beside the class folders ({beside}, for one), so their class is unknown",
            hint="move them into a class folder, or give a folder with only one of the two",
        )
    number = {name: index for index, name in enumerate(class_names)}
    return np.array([number[folder] for folder in folders], np.int64), class_names
