"""The binary version of CIFAR-10 and CIFAR-100: https://www.cs.toronto.edu/~kriz/cifar.html."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganzoo import UsageError
from ganzoo.data import ImageSet, damage, require_memory
from ganzoo_plugins.readers.names import beside, counted, shards

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class Variant:
    """One of the two sets: a record has a byte for each labelling, of so many ``classes``, and then the pixels."""

    title: str
    classes: tuple[int, ...]
    names_file: str


CIFAR10 = Variant("CIFAR-10", (10,), "batches.meta.txt")
CIFAR100 = Variant("CIFAR-100", (20, 100), "fine_label_names.txt")


def read(path: Path) -> ImageSet:
    """Read one ``.bin`` file, or the training files in a folder; for CIFAR-100, the fine one of its two labels.

    Raises:
        UsageError: a file is cut short, or is not CIFAR's.
    """
    files = shards(path, "data_batch_[1-5].bin") or shards(path, "train.bin")
    variant = CIFAR100 if files[0].name.lower() in ("train.bin", "test.bin") else CIFAR10
    require_memory(path, 2 * sum(file.stat().st_size for file in files))  # each file's records, and all of them
    try:
        records = np.concatenate([_records(file, variant) for file in files])
    except OSError as error:
        raise UsageError(f"{path}: {damage(str(path), error)}", hint="copy it again") from error
    labelings = len(variant.classes)
    names_file = files[0].with_name(variant.names_file)
    return ImageSet(
        pixels=records[:, labelings:].reshape(-1, *SHAPE),
        labels=records[:, labelings - 1].astype(np.int64),
        class_names=_class_names(names_file, variant.classes[-1]),
        notes=(*_missing(path, files), *beside(path, [*files, names_file])),
    )


def _missing(path: Path, files: list[Path]) -> list[str]:
    """Which of CIFAR-10's five batches a folder lacks, in a line."""
    there = {file.name.lower() for file in files}
    names = [name for name in (f"data_batch_{number}.bin" for number in range(1, 6)) if name not in there]
    return counted(names, "batches that are not there") if path.is_dir() and len(names) < 5 else []


def _records(file: Path, variant: Variant) -> NDArray[np.uint8]:
    labelings = len(variant.classes)
    length = labelings + PIXELS
    size = file.stat().st_size
    if not size or size % length:
        raise UsageError(
            f"{file}: {size:,} bytes are not a whole number of {variant.title}'s records of {length:,}",
            hint=f"unpack the binary version of {variant.title} again",
        )
    records = np.fromfile(file, np.uint8).reshape(-1, length)
    wrong = np.argwhere(records[:, :labelings] >= np.array(variant.classes))
    if len(wrong):
        row, column = wrong[0]
        raise UsageError(
            f"{file}: image {row} has label {records[row, column]}, of {variant.classes[column]} classes",
            hint=f"is this the binary version of {variant.title}?",
        )
    return records


def _class_names(file: Path, count: int) -> tuple[str, ...]:
    if not file.is_file():
        return tuple(map(str, range(count)))
    names = tuple(file.read_text("utf-8", errors="replace").split())
    if len(set(names)) != count:
        raise UsageError(
            f"{file}: {len(set(names))} different names, for {count} classes",
            hint="unpack it again, or remove it to number the classes",
        )
    return names
