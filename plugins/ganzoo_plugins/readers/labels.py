"""Class labels: numbers or names become classes. What is neither makes a set unlabelled, with the reason."""

import reprlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganzoo.data import Unreadable, plain

_LARGEST = np.iinfo(np.int64).max


LONGEST = 2**10
"""Most characters of a class's name; what is longer describes an image."""


class Classes(NamedTuple):
    """Labels, class names, and why there are none although something looks like labels, as an ``ImageSet`` has them."""

    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    unlabelled: str = ""


def classes(labels: Sequence[object] | NDArray[np.generic], names: Sequence[str | bytes] = ()) -> Classes:
    """Classes from one label an image: whole numbers from 0, or names.

    Numbers are places in ``names``; without those, each number that occurs is its class's name. Names are sorted,
    unless ``names`` has them. A single class says nothing, so its images are unlabelled. This raises nothing: a model
    that needs no labels is not to be stopped by labels that cannot be used.
    """
    given = list(map(settled, labels.tolist() if isinstance(labels, np.ndarray) else labels))
    known = tuple(map(plain, names))
    if all(label is None for label in given):
        return Classes(unlabelled=f"there are {len(known)} class names, but no labels" if known else "")
    if len(set(known)) < len(known):
        return Classes(unlabelled="class names must differ from one another")
    if odd := next((label for label in given if isinstance(label, Unreadable)), None):
        return Classes(unlabelled=str(odd))
    if without := sum(label is None for label in given):
        return Classes(unlabelled=f"{without:,} of {len(given):,} images have no label")
    if any(isinstance(label, str | bytes) for label in given):
        return _of_names([plain(label if isinstance(label, bytes) else str(label)) for label in given], known)
    return _of_numbers(np.array(given, np.int64), known)


def settled(label: object) -> int | str | bytes | Unreadable | None:
    """A label as it was, if it is a number, a name, or none; else why it is not, which takes little memory."""
    if isinstance(label, str | bytes) and len(label) > LONGEST:
        return Unreadable(f"a text of {len(label):,} characters is no class name")
    if isinstance(label, str | bytes):
        return label or None
    if label is None or isinstance(label, Unreadable) or (type(label) is int and abs(label) <= _LARGEST):
        return label
    return Unreadable(f"{reprlib.repr(label):.60} is neither a class number nor a class name")


def _of_names(labels: list[str], known: tuple[str, ...]) -> Classes:
    class_names = known or tuple(sorted(set(labels)))
    number = {name: index for index, name in enumerate(class_names)}
    if strange := next((label for label in labels if label not in number), None):
        return Classes(unlabelled=f"{strange!r:.40} is none of the {len(known)} class names")
    if len(class_names) < 2:
        return Classes()
    return Classes(np.array([number[label] for label in labels], np.int64), class_names)


def _of_numbers(labels: NDArray[np.int64], known: tuple[str, ...]) -> Classes:
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or (known and high >= len(known)):
        for_names = f", for {len(known)} class names" if known else ""
        return Classes(unlabelled=f"labels lie in {low} to {high}{for_names}")
    values, places = np.unique(labels, return_inverse=True)
    if len(known or values) < 2:
        return Classes()
    return Classes(labels, known) if known else Classes(places.astype(np.int64), tuple(map(str, values)))
