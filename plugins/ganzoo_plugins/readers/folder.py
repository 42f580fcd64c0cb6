"""A folder of images; sub-folders are classes."""

import os
from collections.abc import Iterator
from pathlib import Path

from ganzoo import UsageError
from ganzoo.data import SUFFIXES, EncodedImages, is_image, read_file
from ganzoo_plugins.readers.labels import folder_classes


def read(root: Path) -> EncodedImages:
    """Find every PNG, JPEG and WebP below ``root``; names that begin with a dot are passed over, links are followed.

    Images in two or more sub-folders are labelled by the sub-folder's name, in sorted order; a single sub-folder says
    nothing, so its images are unlabelled.

    Raises:
        UsageError: there is no image, a folder cannot be read, or images lie both beside and in class folders.
    """
    files = sorted(path for path in _files(root) if is_image(path.relative_to(root)) and path.is_file())
    if not files:
        raise UsageError(
            f"{root}: no images", hint=f"it should hold {', '.join(SUFFIXES)} files, or sub-folders of them"
        )
    labels, class_names = folder_classes(root, [path.relative_to(root) for path in files])
    return EncodedImages(
        names=[str(path.relative_to(root)) for path in files],
        read=lambda index: _read(files[index]),
        labels=labels,
        class_names=class_names,
    )


def _files(root: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(root, onerror=_refuse, followlinks=True):
        folder = Path(here)
        folders[:] = [name for name in folders if not name.startswith(".") and not _leads_back(folder / name)]
        yield from (folder / name for name in files)


def _leads_back(folder: Path) -> bool:
    """Whether ``folder`` is a link to one of the folders that contain it, which would be walked through for ever."""
    if not folder.is_symlink():
        return False
    target = folder.resolve()
    return any(above.resolve().is_relative_to(target) for above in folder.parents)


def _refuse(error: OSError) -> None:
    raise UsageError(
        f"{error.filename}: the folder cannot be read ({error.strerror})",
        hint="change its permissions, or move it elsewhere",
    ) from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return read_file(file)
