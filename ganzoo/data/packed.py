"""Packed sets: all images in one file that is mapped into memory, so that any number of them can be trained on.

``FILE.npy`` holds uint8 [N, C, H, W], the images to train on first and then those held out; ``FILE.json`` beside it
says what they are. The array is put in place last, and only then is the pack there; two files that do not belong
together are found by their digests.
"""

import os
from pathlib import Path

import msgspec
import numpy as np

from ganzoo.data.damage import damage
from ganzoo.data.decode import read_file
from ganzoo.data.imageset import ImageSet
from ganzoo.errors import IntegrityError
from ganzoo.files import Unreadable, parse_json, parse_object
from ganzoo_registry.documents import LARGEST

FAMILY = "ganzoo packed images "
FORMAT = f"{FAMILY}1"

LARGEST_ENTRY = 16 + 21
"""Most bytes that an image's label and group have in the sidecar."""


class Sidecar(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The content of ``FILE.json``; its digests are ``ImageSet.digest`` of the two parts."""

    format: str
    source: str
    filter: str
    shape: tuple[int, int, int, int]
    digest: str
    held_out: int
    held_out_digest: str | None
    class_names: tuple[str, ...]
    labels: list[int] | None
    groups: list[int] | None = None


def is_packed(path: Path) -> bool:
    """Whether ``path`` is to be read as a packed set: an array, and beside it a JSON file of ours."""
    return path.suffix.lower() == ".npy" and path.is_file() and beside(path).is_file() and not _foreign(beside(path))


def begins_like_ours(sidecar: Path) -> bool:
    """Whether a file begins as the sidecar of a packed set, be it damaged."""
    with sidecar.open("rb") as file:
        return FORMAT.encode() in file.read(64)


def _foreign(sidecar: Path) -> bool:
    """Whether a file is whole JSON that has nothing of a sidecar; a damaged sidecar is ours, and must be told so."""
    if begins_like_ours(sidecar):
        return False
    try:
        with sidecar.open("rb") as file:
            content = parse_json(file.read(LARGEST + 1))
    except Unreadable:
        return False
    return not isinstance(content, dict) or not content.keys() & set(Sidecar.__struct_fields__)


def read_packed(path: Path) -> tuple[ImageSet, ImageSet | None]:
    """Map a packed set into memory: the images to train on, and those held out.

    The pixels are read-only: a mapping that could be written to would have to fit into memory and swap.

    Raises:
        IntegrityError: it is not what was packed.
        GanzooError: the system cannot read it.
    """
    try:
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
        largest = LARGEST + LARGEST_ENTRY * len(pixels)
        with beside(path).open("rb") as file:
            values = parse_object(read_file(file, largest), largest)
        if (form := str(values.get("format"))) != FORMAT and form.startswith(FAMILY):
            raise IntegrityError(f"{path} was packed by a newer ganzoo", hint="pip install --upgrade ganzoo")
        sidecar = msgspec.convert(values, Sidecar)
        if sidecar.format != FORMAT:
            raise ValueError(f"{beside(path).name} has another format")
        if pixels.shape != sidecar.shape or not 0 <= sidecar.held_out < len(pixels):
            raise ValueError("its two files do not belong together")
        labels, groups = (
            None if each is None else np.array(each, np.int64) for each in (sidecar.labels, sidecar.groups)
        )
        images = ImageSet(pixels=pixels, labels=labels, class_names=sidecar.class_names, groups=groups)
        parts = parts_of(images, sidecar.held_out)
        if digests_of(parts) != (sidecar.digest, sidecar.held_out_digest):
            raise ValueError("its digest is not the one that was written")
    except Exception as error:  # NumPy may raise anything for a damaged header
        raise IntegrityError(
            f"{path}: not what was packed ({damage(str(path), error)[:120]})",
            hint=f"pack it again; or, if it never was a packed set, move {beside(path).name} away",
        ) from error
    return parts


def parts_of(images: ImageSet, held_out: int) -> tuple[ImageSet, ImageSet | None]:
    """The images to train on, and the last ones, which are held out."""
    cut = len(images) - held_out
    return images.take(slice(cut)), images.take(slice(cut, None)) if held_out else None


def digests_of(parts: tuple[ImageSet, ImageSet | None]) -> tuple[str, str | None]:
    """The digest of each part."""
    training, held_out = parts
    return training.digest, None if held_out is None else held_out.digest


def beside(path: Path) -> Path:
    """The sidecar of an array's file."""
    return Path(os.path.realpath(path)).with_suffix(".json")
