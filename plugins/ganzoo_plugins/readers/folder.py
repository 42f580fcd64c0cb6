"""A folder of images; sub-folders are classes."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from ganzoo import UsageError
from ganzoo.data import EncodedImages, is_left_behind, read_file
from ganzoo_plugins.readers.names import counted
from ganzoo_plugins.readers.tree import Entry, Tree, images_of

NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What the system says of a link whose target is not there; anything else may be otherwise in a minute."""


def read(root: Path) -> EncodedImages:
    """Find every PNG, JPEG and WebP below ``root``; links are followed, and what systems leave behind is passed over.

    Labels are those of ``dataset.json``, or of ``.cls`` and ``.json`` files beside the images, else sub-folders are
    classes; see ``ganzoo_plugins.readers.tree``.

    Raises:
        UsageError: there is no image, a folder cannot be read, or images lie both beside and in class folders.
    """
    entries: list[Entry] = []
    dangling: list[str] = []
    odd: list[str] = []
    for name, found in _files(root):
        try:
            regular = found.is_file() if not found.is_symlink() else stat.S_ISREG(os.stat(found.path).st_mode)
        except OSError as error:
            if error.errno not in NOWHERE:
                _refuse(error)
            dangling.append(name)
        else:
            entries.append(Entry(name, found.path)) if regular else odd.append(name)
    notes = [
        *counted(dangling, "links that lead nowhere"),
        *counted(odd, "entries that are neither files nor folders"),
    ]
    return images_of(Tree(root, entries, _read, tuple(notes)))


def _files(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """All that is no folder, with its POSIX path below ``root``; nothing that systems leave behind."""
    folders = [("", os.fspath(root))]
    while folders:
        prefix, here = folders.pop()
        try:
            with os.scandir(here) as entries:
                found = [entry for entry in entries if not is_left_behind(entry.name)]
        except OSError as error:
            _refuse(error)
        for entry in found:
            if not _is_folder(entry):
                yield prefix + entry.name, entry
            elif not _leads_back(Path(entry.path)):
                folders.append((f"{prefix}{entry.name}/", entry.path))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _leads_back(folder: Path) -> bool:
    """Whether ``folder`` is a link to one of the folders that contain it, which would be walked through for ever."""
    if not folder.is_symlink():
        return False
    target = folder.resolve()
    return any(above.resolve().is_relative_to(target) for above in folder.parents)


def _refuse(error: OSError) -> NoReturn:
    raise UsageError(
        f"{error.filename}: the folder cannot be read ({error.strerror})",
        hint="change its permissions, or move it elsewhere",
    ) from error


def _read(path: str, limit: int) -> bytes:
    with open(path, "rb") as file:
        return read_file(file, limit)
