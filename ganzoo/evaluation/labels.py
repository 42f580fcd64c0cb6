"""The labels that samples are drawn with, and what they mean among the real images' classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganzoo.data import ImageSet
from ganzoo.runtime.labels import composed

Labels = NDArray[np.int64]

_NAMED = 3
"""Most classes that a note names."""


@dataclass(frozen=True)
class Matching:
    """How a generator's classes stand to those of the images that it is held against, by name.

    What is held against real images has their labels: each sample's is that of one training image, drawn at random, or
    a generator of unlike classes would be taken for a bad one where the data have more of one class than of another.

    Args:
        pool: the generator's labels, each as often as the training images have its class; None: each class alike.
        meaning: generator's label -> label among the real images, or -1; None: nothing is known of them.
        notes: what a reader of the figures must know, a line each.
    """

    pool: Labels | None = None
    meaning: Labels | None = None
    notes: tuple[str, ...] = ()


def match(made: Sequence[str], training: ImageSet) -> Matching:
    """Match the classes ``made`` of a generator, by index, with those of ``training``; none: it takes no labels."""
    if not made:
        return Matching()
    if training.labels is None:
        return Matching(notes=("the images have no classes, so each of its own is drawn equally often",))
    theirs = training.class_names
    to_made = indices(theirs, made)
    pool = to_made[training.labels]
    if not (pool >= 0).any():
        return Matching(notes=("its classes are not those of the images, so each is drawn equally often",))
    lost = [theirs[label] for label in np.unique(training.labels) if to_made[label] < 0]
    notes = (f"it does not make the images' class{_listed(lost)}",) if lost else ()
    return Matching(pool[pool >= 0], indices(made, theirs), notes)


def indices(names: Sequence[str], among: Sequence[str]) -> Labels:
    """Where each of ``names`` stands ``among`` others, -1 for nowhere; accents count alike in both their spellings."""
    exact = {name: index for index, name in enumerate(among)}
    alike = {composed(name): index for index, name in enumerate(among)}
    return np.array([exact.get(name, alike.get(composed(name), -1)) for name in names], np.int64)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_NAMED]))
    return f"{'es' * (len(names) > 1)} {shown}" + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
