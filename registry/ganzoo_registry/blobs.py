"""The content-addressed store: the bytes in ``blobs/sha256/<hex>`` have that SHA-256, or are damaged."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from ganzoo_registry.disk import Disk
from ganzoo_registry.documents import LARGEST
from ganzoo_registry.errors import Corrupt, NotWritable, RegistryError
from ganzoo_registry.records import BlobInfo
from ganzoo_registry.refs import DIGEST

CHUNK = 1 << 20


class Blobs:
    """The blobs of one registry."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.directory = disk.root / "blobs" / "sha256"

    def put(self, data: bytes | Path) -> BlobInfo:
        """Store bytes, or a file's content, streamed. A damaged blob of the same digest is replaced.

        Its name is durable only after ``Disk.settle(directory)``, which may be called once for many blobs.

        Raises:
            RegistryError: a file cannot be read.
        """
        sha, size = hashlib.sha256(), 0

        def hashed() -> Iterator[bytes]:
            nonlocal size
            for chunk in _chunks(data):
                sha.update(chunk)
                size += len(chunk)
                yield chunk

        with self._disk.staged(hashed()) as staged:
            info = BlobInfo(f"sha256:{sha.hexdigest()}", size)
            target = self._file(info.digest)
            if not self._disk.publish(staged, target) and not self._is_renewed(info.digest):
                self._replace(staged, info.digest)
        return info

    def has(self, digest: str) -> bool:
        """Whether there is a blob of this digest, whole or damaged."""
        return self._disk.size(self._file(digest)) is not None

    def read(self, digest: str, owner: str, size: int | None = None) -> bytes:
        """A blob's bytes, verified.

        Args:
            owner: says in errors what it belongs to.
            size: its size in bytes; None if that is not known, as of a document.

        Raises:
            Corrupt: it is missing or damaged, or too large for a document.
        """
        _check(digest, owner)
        found = self._disk.size(self._file(digest))
        if found is None:
            raise self._missing(digest, owner)
        if found > LARGEST if size is None else found != size:
            raise self._damaged(digest, owner)
        data = self._disk.read(self._file(digest), found)
        if data is None:
            raise self._missing(digest, owner)
        if digest_of(data) != digest:
            raise self._damaged(digest, owner)
        return data

    def path(self, digest: str, owner: str) -> Path:
        """A blob's file, whose content has just been verified, a chunk at a time.

        Raises:
            Corrupt: it is missing or damaged.
        """
        _check(digest, owner)
        if not self.has(digest):
            raise self._missing(digest, owner)
        if not self._is_whole(digest):
            raise self._damaged(digest, owner)
        return self._file(digest)

    def _is_renewed(self, digest: str) -> bool:
        """Whether a blob is whole, and now as young as one that was just stored, so that the grace time protects it."""
        return self._disk.renew(self._file(digest)) and self._is_whole(digest)

    def _replace(self, staged: Path, digest: str) -> None:
        """Put a staged file in the place of a blob. Where another user's cannot be replaced, a whole one may stay."""
        try:
            self._disk.replace(staged, self._file(digest))
        except NotWritable:
            if not self._is_whole(digest):
                raise

    def _is_whole(self, digest: str) -> bool:
        return self.has(digest) and _digest(self._disk.chunks(self._file(digest), CHUNK)) == digest

    def _file(self, digest: str) -> Path:
        return self.directory / digest.removeprefix("sha256:")

    def _missing(self, digest: str, owner: str) -> Corrupt:
        return Corrupt(f"blob {digest} of {owner} is missing", hint=self._cure(digest))

    def _damaged(self, digest: str, owner: str) -> Corrupt:
        return Corrupt(f"blob {digest} of {owner} is damaged: its bytes changed", hint=self._cure(digest))

    def _cure(self, digest: str) -> str:
        place = self._file(digest).relative_to(self._disk.root)
        return f"restore {place} from a copy of the registry, or register or attach the same content again"


def digest_of(data: bytes | Path) -> str:
    """``sha256:<hex>`` of bytes, or of a file's content, streamed."""
    return _digest(_chunks(data))


def _digest(chunks: Iterable[bytes]) -> str:
    sha = hashlib.sha256()
    for chunk in chunks:
        sha.update(chunk)
    return f"sha256:{sha.hexdigest()}"


def _chunks(data: bytes | Path) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
        return
    try:
        with open(data, "rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        raise RegistryError(f"cannot read {data}: {error.strerror}") from error


def _check(digest: str, owner: str) -> None:
    # A digest becomes a path, and the record that it was read from may have come from anywhere.
    if not DIGEST.fullmatch(digest):
        raise Corrupt(
            f"the record of {owner} is damaged: {digest!r} is not a digest",
            hint="restore it from a copy of the registry",
        )
