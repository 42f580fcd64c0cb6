"""Writes packed sets (``packed.py``): in constant memory, and whole or not at all."""

import contextlib
import os
import secrets
import shutil
import tempfile
from array import array
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ganzoo.data.allocation import require_for
from ganzoo.data.damage import naming
from ganzoo.data.decode import FILES_SIZE, check_skipped, decoded
from ganzoo.data.imageset import EncodedImages, ImageSet, remaining_classes
from ganzoo.data.names import plain
from ganzoo.data.packed import FORMAT, Sidecar, begins_like_ours, beside, digests_of, parts_of
from ganzoo.data.resize import fit_pixels
from ganzoo.data.split import held_out_rows, image_digest, require_training
from ganzoo.data.square import FILTER
from ganzoo.errors import UsageError
from ganzoo.files import cannot_write, sync_directory
from ganzoo.specs import ImageShape

IN_HAND = 4
"""Times that an image is in memory while it is resized."""


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A set that was packed.

    Args:
        path: the array's file.
        shape: shape of one image.
        count: images to train on.
        held_out: images to evaluate by.
        digest: digest of the images to train on.
        skipped: what could not be read, as "name: reason".
        notes: what else a person should know; see ``ImageSet.told``.
    """

    path: Path
    shape: ImageShape
    count: int
    held_out: int
    digest: str
    skipped: tuple[str, ...]
    notes: tuple[str, ...]


def pack(
    source: ImageSet | EncodedImages,
    target: Path,
    *,
    size: int | None,
    held_out: float,
    strict: bool,
    name: str,
    progress: Callable[[int, int], None] | None = None,
) -> Packed:
    """Write a packed set; a packed set that is there is replaced as a whole, or not at all.

    It takes constant memory: decoded images go to a nameless file first, because which of them are held out, and
    whether all are grey, is known only at the end.

    Args:
        source: what to pack.
        target: ``FILE.npy``; ``FILE.json`` is written beside it.
        size: in pixels; None keeps an ``ImageSet``'s, and is ``FILES_SIZE`` for encoded images.
        held_out: the share to hold out, 0 <= share < 1; see ``ganzoo.data.split``.
        strict: refuse unreadable images, instead of skipping them.
        name: what the images came from, for messages and the record.
        progress: is told how many images are done, and how many there are.

    Raises:
        UsageError: no image can be read or, with ``strict``, any cannot; ``target`` exists and is no pack.
        GanzooError: it cannot be written, or the system cannot read an image.
    """
    _refuse_other_files(target)
    try:
        with naming(name), tempfile.TemporaryFile(dir=target.parent) as file:
            rows = _Rows(file)
            kept, skipped = _fill(rows, source, size, progress)
            check_skipped(name, skipped, len(kept) + len(skipped), strict)
            labels, class_names = remaining_classes(
                None if source.labels is None else source.labels[kept], source.class_names
            )
            groups = None if source.groups is None else source.groups[kept]
            digests = [image_digest(rows.read(row)) for row in range(rows.shape[0])]
            mask = source.held_out
            mask = held_out_rows(digests, held_out, labels, groups) if mask is None else mask[kept]
            require_training(name, mask)
            sidecar = _store(rows, target, _Kept(labels, class_names, groups), mask, name)
    except OSError as error:
        raise cannot_write(target, error) from error
    count, channels, height, width = sidecar.shape
    return Packed(
        path=target,
        shape=ImageShape(channels=channels, height=height, width=width, classes=len(class_names)),
        count=count - sidecar.held_out,
        held_out=sidecar.held_out,
        digest=sidecar.digest,
        skipped=tuple(skipped),
        notes=source.told,
    )


class _Kept(NamedTuple):
    """What is known of the images beside their pixels, as an ``ImageSet`` has it."""

    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...]
    groups: NDArray[np.int64] | None

    def ordered(self, order: NDArray[np.int64]) -> "_Kept":
        """The same of the images in another order."""
        labels, groups = (None if each is None else each[order] for each in (self.labels, self.groups))
        return _Kept(labels, self.class_names, groups)


class _Rows:
    """Images one after the other in a file, each stored with its own channels and read with those of the set."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._ends = array("q", [0])
        self.shape = (0, 0, 0, 0)

    def append(self, pixels: NDArray[np.uint8]) -> None:
        self._file.write(pixels.tobytes())
        self._ends.append(self._ends[-1] + pixels.size)
        channels, height, width = pixels.shape
        self.shape = (self.shape[0] + 1, max(self.shape[1], channels), height, width)

    def read(self, row: int) -> NDArray[np.uint8]:
        _, channels, height, width = self.shape
        start, end = self._ends[row], self._ends[row + 1]
        self._file.seek(start)
        pixels = np.frombuffer(self._file.read(end - start), np.uint8).reshape(-1, height, width)
        return np.broadcast_to(pixels, (channels, height, width))


def _fill(
    rows: _Rows, source: ImageSet | EncodedImages, size: int | None, progress: Callable[[int, int], None] | None
) -> tuple[list[int], list[str]]:
    """Decode into ``rows``; returns which images are there, and what could not be read."""
    kept: list[int] = []
    skipped: list[str] = []
    names = source.names if isinstance(source, EncodedImages) else range(len(source))
    with contextlib.closing(_images(source, size)) as images:
        for index, image in enumerate(images):
            if isinstance(image, str):
                skipped.append(plain(f"{names[index]}: {image}"))
            else:
                rows.append(image)
                kept.append(index)
            if progress:
                progress(index + 1, len(names))
    return kept, skipped


def _images(source: ImageSet | EncodedImages, size: int | None) -> Generator[NDArray[np.uint8] | str, None, None]:
    if isinstance(source, EncodedImages):
        yield from decoded(source, size or FILES_SIZE)
    else:
        if size is not None:
            require_for((IN_HAND, source.shape.channels, size, size))
        yield from (fit_pixels(image, size) for image in source.pixels)


def _store(rows: _Rows, target: Path, kept: _Kept, held_out: NDArray[np.bool_], name: str) -> Sidecar:
    order = np.argsort(held_out, kind="stable")
    kept = kept.ordered(order)
    with _partials(target) as (pixels, text, old):
        _write_array(pixels, rows, order)
        mapped = ImageSet(pixels=np.load(pixels, mmap_mode="r"), **kept._asdict())
        digest, held_out_digest = digests_of(parts_of(mapped, int(held_out.sum())))
        del mapped  # Windows renames no file that is mapped
        sidecar = Sidecar(
            format=FORMAT,
            source=name,
            filter=FILTER.name.lower(),
            shape=rows.shape,
            digest=digest,
            held_out=int(held_out.sum()),
            held_out_digest=held_out_digest,
            class_names=kept.class_names,
            labels=None if kept.labels is None else kept.labels.tolist(),
            groups=None if kept.groups is None else kept.groups.tolist(),
        )
        with text.open("xb") as file:
            file.write(msgspec.json.encode(sidecar))
            _sync(file)
        _put_in_place(pixels, text, old, target)
    return sidecar


def _write_array(path: Path, rows: _Rows, order: NDArray[np.int64]) -> None:
    with path.open("xb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": rows.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for row in order:
            file.write(rows.read(row).tobytes())
        _sync(file)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


@contextlib.contextmanager
def _partials(target: Path) -> Iterator[list[Path]]:
    """Three temporary files beside ``target``, because a rename is atomic only within a file system."""
    paths = [Path(os.path.realpath(target)).with_name(f".{secrets.token_hex(8)}.partial") for _ in range(3)]
    try:
        yield paths
    finally:
        for path in paths:
            with contextlib.suppress(OSError):
                path.unlink()


def _put_in_place(pixels: Path, text: Path, old: Path, target: Path) -> None:
    """Rename the sidecar, then the array, which is the commit: if that fails, put the old sidecar back."""
    sidecar = beside(target)
    if sidecar.exists():
        shutil.copy2(sidecar, old)
    try:
        os.replace(text, sidecar)
        os.replace(pixels, os.path.realpath(target))
    except BaseException:
        if pixels.exists():
            os.replace(old, sidecar) if old.exists() else sidecar.unlink(missing_ok=True)
        raise
    sync_directory(sidecar.parent)


def _refuse_other_files(target: Path) -> None:
    if target.suffix.lower() != ".npy":
        raise UsageError(f"{target}: a packed set is called FILE.npy", hint=f"try {target.with_suffix('.npy')}")
    sidecar = beside(target)
    ours = sidecar.is_file() and begins_like_ours(sidecar)
    if not ours and (other := next((each for each in (target, sidecar) if each.exists()), None)):
        raise UsageError(f"{other} is there, and is no packed set", hint="choose another name, or remove it first")
