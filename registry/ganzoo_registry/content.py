"""What a version holds."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ganzoo_registry.blobs import Blobs
from ganzoo_registry.documents import Unreadable, parse_object
from ganzoo_registry.errors import Corrupt, NotFound, did_you_mean
from ganzoo_registry.records import BlobInfo, Manifest, Version
from ganzoo_registry.shelf import Shelf


class Content:
    """The content of one version: what it was registered with, and what was attached.

    Raises:
        Corrupt, Newer: its manifest cannot be read.
    """

    def __init__(self, blobs: Blobs, shelf: Shelf, version: Version) -> None:
        self._blobs, self._version = blobs, version
        self.manifest = Manifest.decode(blobs.read(version.digest, f"{version} (manifest)"), str(version))
        self.kinds = Kinds(self.manifest.kinds, shelf, version.number)

    def read(self, kind: str) -> bytes:
        """The content of one kind, verified."""
        blob = self._blob(kind)
        return self._blobs.read(blob.digest, f"{self._version} ({kind})", blob.size)

    def path(self, kind: str) -> Path:
        """The file of one kind, verified."""
        return self._blobs.path(self._blob(kind).digest, f"{self._version} ({kind})")

    def lineage(self) -> dict[str, Any]:
        """The lineage, verified."""
        owner = f"{self._version} (lineage)"
        try:
            return parse_object(self._blobs.read(self.manifest.lineage, owner))
        except Unreadable as error:
            raise Corrupt(f"{owner} cannot be read: {error}") from error

    def _blob(self, kind: str) -> BlobInfo:
        if kind not in self.kinds:
            raise NotFound(f"{self._version} has no {kind!r}", hint=did_you_mean(kind, self.kinds))
        return self.kinds[kind]


class Kinds(Mapping[str, BlobInfo]):
    """Kind -> blob of one version, attachments included (a variant's is ``kind-variant``).

    The record of an attachment is read when it is asked for, so a damaged one is in nobody's way but its own.

    Args:
        registered: what it was registered with.
        shelf, number: where its attachments are.
    """

    def __init__(self, registered: Mapping[str, BlobInfo], shelf: Shelf, number: int) -> None:
        self._registered, self._shelf, self._number = registered, shelf, number
        self._attached = [kind for kind in shelf.attachments(number) if kind not in registered]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._registered, *self._attached])

    def __len__(self) -> int:
        return len(self._registered) + len(self._attached)

    def __contains__(self, kind: object) -> bool:
        return kind in self._registered or kind in self._attached

    def __getitem__(self, kind: str) -> BlobInfo:
        """The blob of a kind.

        Raises:
            KeyError: there is no such kind.
            Corrupt, Newer: the record of the attachment cannot be read.
        """
        if kind not in self._attached:
            return self._registered[kind]
        found = self._shelf.attachment(self._number, kind)
        if found is None:
            raise Corrupt(f"the {kind} of {self._shelf.name}:{self._number} has just been taken away")
        return found
