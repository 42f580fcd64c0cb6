"""Content that no version holds: what is left of removed versions, of replaced attachments, and of processes that died.

Whoever stores content holds the store's lock until its record is written, shared with all others who do; who removes
content holds it alone. So nothing is removed that a version is about to hold. Where the file system has no locks,
storing goes on without, and removing is refused.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator

from ganzoo_registry.blobs import Blobs
from ganzoo_registry.content import Content
from ganzoo_registry.disk import Disk
from ganzoo_registry.lookup import version
from ganzoo_registry.records import BlobInfo
from ganzoo_registry.shelf import Shelf

GRACE_SECONDS = 24 * 60 * 60
"""Age at which content that no version holds may go: older versions of ganzoo store it without a lock."""

_NAME = re.compile(r"[0-9a-f]{64}")


Shelves = Callable[[], Iterable[Shelf]]
"""Looks for the models that there are now."""


def find(disk: Disk, blobs: Blobs, shelves: Shelves, grace: float) -> list[BlobInfo]:
    """What no version holds, and was stored more than ``grace`` seconds ago, by digest.

    Raises:
        Corrupt, Newer, NotWritable: a record or manifest is missing or cannot be read, so that it is not known what is
            held.
    """
    held, before = {digest for shelf in shelves() for digest in _held(blobs, shelf)}, time.time() - grace
    found = []
    for name, is_file in sorted(disk.entries(blobs.directory).items()):
        if is_file and _NAME.fullmatch(name) and f"sha256:{name}" not in held:
            size = disk.size(blobs.directory / name)
            if size is not None and disk.changed(blobs.directory / name) <= before:
                found.append(BlobInfo(f"sha256:{name}", size))
    return found


def remove(disk: Disk, blobs: Blobs, shelves: Shelves, grace: float) -> list[BlobInfo]:
    """Remove what ``find`` lists, and return it.

    Raises:
        Corrupt, Newer, NotWritable: see ``find``; nothing is removed.
    """
    with disk.locked(blobs.directory, alone=True):
        for shelf in shelves():
            shelf.settle()  # a removal that a power cut undoes must find its content
        found = find(disk, blobs, shelves, grace)
        for blob in found:
            disk.remove(blobs.directory / blob.digest.removeprefix("sha256:"))
    return found


def _held(blobs: Blobs, shelf: Shelf) -> Iterator[str]:
    """The digests of all that a model's versions hold, those that were removed under an alias included."""
    pointers, aliased = shelf.pointers(), set(shelf.targets().values())
    for number, pointer in pointers.items():
        if pointer.manifest and (not pointer.removed or number in aliased):
            content = Content(blobs, shelf, version(shelf, number, pointer))
            yield pointer.manifest
            yield content.manifest.lineage
            yield from (blob.digest for blob in content.kinds.values())
