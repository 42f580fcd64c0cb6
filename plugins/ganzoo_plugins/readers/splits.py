"""Parts of a data set by their names: what is called a test set is no class, and is never trained on."""

import re
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganzoo import UsageError

TRAINING, VALIDATION, TEST = "train", "val", "test"

HELD_OUT = (VALIDATION, TEST)
"""What is never trained on, in the order in which one of them is held out."""

WORDS = {
    **dict.fromkeys(("train", "training", "trn"), TRAINING),
    **dict.fromkeys(("val", "valid", "validate", "validation", "dev", "devel", "development"), VALIDATION),
    **dict.fromkeys(("test", "testing", "tst", "t10k", "eval", "evaluation", "holdout", "heldout"), TEST),
}
"""What the parts of data sets are called -> which part that is."""

_FOLDER = re.compile(rf"({'|'.join(WORDS)})(?:[-_ .]?(?:set|data|split|part|images?|imgs?|[ab]))*[-_ .]?\d*")
"""A word with what is often put behind it: val2017, testA, train_images."""


class Parts(NamedTuple):
    """Which images are kept, by index, and which of those are held out; None: the names say nothing of it."""

    rows: list[int]
    held_out: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()


@cache
def part_of_folder(name: str) -> str:
    """The part that a folder's name stands for: ``train2017``, ``valid`` or ``testA``; empty if none."""
    found = _FOLDER.fullmatch(name.casefold().replace("held-out", "heldout").replace("held_out", "heldout"))
    return WORDS[found[1]] if found else ""


@cache
def part_of_shard(name: str) -> str:
    """The part that a shard's name has among its words: ``imagenet-train-0001.tar``; empty if none."""
    words = re.findall(r"t10k|[a-z]+", name.casefold())
    return next((WORDS[word] for word in words if word in WORDS), "")


def parts_of_folders(names: Collection[str]) -> dict[str, str]:
    """Those of the names of a tree's folders that stand for a part -> that part.

    A word among others, as in ``seg_train`` and ``DIV2K_valid_HR``, counts where the names of a training part and of
    one that is held out differ in nothing but that word, and numbers behind words.
    """
    found = {name: part for name in names if (part := part_of_folder(name))}
    alike: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        words = list(filter(None, (word.rstrip("0123456789") for word in re.split(r"[-_ .]+", name.casefold()))))
        parts = [WORDS.get(word, "") for word in words]
        if sum(map(bool, parts)) == 1:
            others = tuple("" if part else word for word, part in zip(words, parts, strict=True))
            alike.setdefault(others, {})[name] = next(filter(None, parts))
    for among in alike.values():
        if TRAINING in among.values() and is_divided(among.values()):
            found |= among
    return found


def is_divided(parts: Collection[str]) -> bool:
    """Whether these names of parts divide a set: some are held out, and others are not."""
    there = set(parts)
    return len(there) > 1 and bool(there.intersection(HELD_OUT))


def parts_of_shards(names: Sequence[str]) -> list[str]:
    """The part that each name of a shard stands for; all empty where they do not divide the set."""
    parts = list(map(part_of_shard, names))
    return parts if is_divided(parts) else [""] * len(parts)


def part_to_train_on(path: Path, parts: Sequence[str]) -> str:
    """``train``, or what no name puts anywhere.

    Raises:
        UsageError: there is neither, or both beside what is held out.
    """
    there = set(parts)
    training = TRAINING if TRAINING in there and is_divided(parts) else ""
    if training not in there or (training and "" in there):
        what = "images beside its parts" if training in there else "names of validation and test sets alone"
        raise UsageError(f"{path}: holds {what}", hint="give the folder or file to train on, such as …/train")
    return training


def divide(path: Path, parts: Sequence[str], labels: Sequence[object]) -> Parts:
    """Hold out the validation part, else the test part, and leave out the rest of what is not to be trained on.

    Args:
        path: what is read, for messages.
        parts: the part of each image; empty: its name says nothing.
        labels: the class of each image; None: unknown. Where those to train on have classes, a part with others, or
            with none, is not held out, but left out.

    Raises:
        UsageError: there is nothing to train on, or something that may or may not be.
    """
    rows = list(range(len(parts)))
    if not is_divided(parts):
        return Parts(rows)
    training = part_to_train_on(path, parts)
    trained = [label for label, part in zip(labels, parts, strict=True) if part == training]
    labelled = all(isinstance(label, int | str) for label in trained)
    chosen, notes = "", []
    for part in HELD_OUT:
        own = [label for label, each in zip(labels, parts, strict=True) if each == part]
        if own and not chosen and not (labelled and _are_others(own, trained)):
            chosen = part
            notes.append(f"images of '{part}' that are held out: {len(own):,}")
        elif own:
            reason = f"held out is '{chosen}'" if chosen else "their classes are not those of the images to train on"
            notes.append(f"images of '{part}' that are left out: {len(own):,}, because {reason}")
    rows = [row for row in rows if parts[row] == training or (chosen and parts[row] == chosen)]
    held_out = np.array([parts[row] == chosen for row in rows], np.bool_) if chosen else None
    return Parts(rows, held_out, tuple(notes))


def _are_others(labels: Sequence[object], trained: Sequence[object]) -> bool:
    """Whether any label is none of those of the images to train on."""
    classes = set(trained)
    return any(not isinstance(label, int | str) or label not in classes for label in labels)
