"""IDX, the format of MNIST: http://yann.lecun.com/exdb/mnist, "FILE FORMATS"."""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from ganzoo import UsageError
from ganzoo.data import ImageSet, damage, require_memory
from ganzoo_plugins.readers.labels import Classes, classes

GZIP = b"\x1f\x8b"
UINT8 = 8
CHUNK = 2**20
_FORM = "images are unsigned bytes [N, height, width], with their labels [N] in a file of their own"


def read(path: Path, class_names: Sequence[str] = ()) -> ImageSet:
    """Read images, and the labels beside them.

    Their file has the same name, but images -> labels and idx3 -> idx1; upper and lower case are one.

    Args:
        path: the images' file.
        class_names: one per class; without them, each number that occurs is its class's name.

    Raises:
        UsageError: either file is not what its header says, or they do not fit together.
    """
    pixels = _read(path, dimensions=3)
    beside = _labels_file(path)
    labels = None if beside is None else _read(beside, dimensions=1)
    if beside is not None and labels is not None and len(labels) != len(pixels):
        raise UsageError(
            f"{path}: {len(pixels):,} images, but {len(labels):,} labels in {beside.name}",
            hint="take both files from one place, or move the labels away to train without them",
        )
    found = Classes() if labels is None else classes(labels, class_names)
    try:
        return ImageSet(pixels=pixels[:, None], **found._asdict())
    except UsageError as error:
        raise UsageError(f"{path}: {error}", hint=_FORM) from error


def _labels_file(path: Path) -> Path | None:
    name = path.name.lower().replace("images", "labels").replace("idx3", "idx1")
    if name == path.name.lower():
        return None
    plain = name.removesuffix(".gz")
    there = {each.name.lower(): each for each in sorted(path.absolute().parent.iterdir()) if each.is_file()}
    return next((there[each] for each in (name, plain, f"{plain}.gz") if each in there), None)


def _read(path: Path, dimensions: int) -> NDArray[np.uint8]:
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == GZIP
            file.seek(0)
            return _array(path, cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if compressed else file, dimensions)
    except (OSError, EOFError, zlib.error, MemoryError) as error:
        reason = damage(str(path), error)
        raise UsageError(f"{path}: damaged ({reason})", hint="download or copy it again") from error


def _array(path: Path, file: IO[bytes], dimensions: int) -> NDArray[np.uint8]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise UsageError(f"{path}: not an IDX file", hint=_FORM)
    if magic[2] != UINT8 or magic[3] != dimensions:
        wanted = "images" if dimensions == 3 else "labels"
        raise UsageError(
            f"{path}: holds type {magic[2]:#04x} in {magic[3]} dimensions, not {wanted} (0x08 in {dimensions})",
            hint=_FORM,
        )
    header = file.read(4 * dimensions)
    shape = struct.unpack(f">{dimensions}I", header) if len(header) == 4 * dimensions else ()
    promised, stored = math.prod(shape), path.stat().st_size
    if isinstance(file, gzip.GzipFile):
        require_memory(path, promised, stored)
    else:
        require_memory(path, min(promised, stored))
    data = _at_most(file, promised + 1)
    if not shape or len(data) != promised:
        there = "more" if len(data) > promised else f"{len(data):,}"
        raise UsageError(
            f"{path}: its header promises {promised:,} bytes {list(shape)}, and {there} are there",
            hint="download or copy it again",
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _at_most(file: IO[bytes], count: int) -> bytearray:
    """The next ``count`` bytes, or fewer; memory is taken as they come, whatever a header promises."""
    data = bytearray()
    while len(data) < count and (chunk := file.read(min(CHUNK, count - len(data)))):
        data += chunk
    return data
