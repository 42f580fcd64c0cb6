"""A folder of images; sub-folders are classes."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ganzoo import UsageError
from ganzoo.data import EncodedImages, is_left_behind, order, plain, read_file
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
    for path in _files(root):
        name = PurePosixPath(path.relative_to(root).as_posix())
        try:
            regular = stat.S_ISREG(path.stat().st_mode)
        except OSError as error:
            if error.errno not in NOWHERE:
                _refuse(error)
            dangling.append(str(name))
        else:
            entries.append(Entry(name, path)) if regular else odd.append(str(name))
    notes = [
        *_told(dangling, "links that lead nowhere"),
        *_told(odd, "entries that are neither files nor folders"),
    ]
    return images_of(Tree(root, entries, _read, tuple(notes)))


def _files(root: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(root, onerror=_refuse, followlinks=True):
        folder = Path(here)
        folders[:] = [name for name in folders if not is_left_behind(name) and not _leads_back(folder / name)]
        yield from (folder / name for name in files if not is_left_behind(name))


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


def _told(names: list[str], what: str) -> list[str]:
    """How many there are of something that is passed over, and the first of them."""
    return [f"{what}: {len(names):,} ({plain(min(names, key=order))}, for one)"] if names else []


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        return read_file(file, limit)
