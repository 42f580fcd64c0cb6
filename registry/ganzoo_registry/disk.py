"""All access to the file system, in an order that survives a crash.

A file gets its name only when its bytes are on the disk: written to ``tmp/``, fsynced, then linked. ``link``
fails where the name is taken, over NFS too, so it is create-if-absent.
"""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ganzoo_registry.errors import NotWritable

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
_ELSEWHERE = "choose another place with --registry DIR or GANZOO_REGISTRY"


class System:
    """The system calls that change something. Tests replace them, to crash or to fail at any of them."""

    open = staticmethod(os.open)
    write = staticmethod(os.write)
    fsync = staticmethod(os.fsync)
    link = staticmethod(os.link)
    replace = staticmethod(os.replace)
    unlink = staticmethod(os.unlink)
    mkdir = staticmethod(os.mkdir)


system = System()


class Disk:
    """The tree under ``root``. It turns every OSError into ``NotWritable``, with a reason and a hint."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self, directory: Path) -> list[str]:
        """The entries of a directory; none if it does not exist."""
        with self._explained():
            try:
                return os.listdir(directory)
            except FileNotFoundError:
                return []

    def read(self, path: Path) -> bytes | None:
        """A file's bytes; None if it does not exist."""
        with self._explained():
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    @contextmanager
    def staged(self, chunks: Iterable[bytes]) -> Iterator[Path]:
        """A file in ``tmp/`` with ``chunks`` in it, read-only and fsynced; it is gone after the block."""
        path = self.root / "tmp" / os.urandom(16).hex()
        with self._explained():
            self._make(path.parent)
            descriptor = system.open(path, _CREATE, 0o444)
        try:
            with self._explained():
                try:
                    for chunk in chunks:
                        _write(descriptor, chunk)
                    system.fsync(descriptor)
                finally:
                    os.close(descriptor)
            yield path
        finally:
            # A file that stays behind is never read, so a failure to remove it must not undo what was achieved.
            with suppress(OSError):
                system.unlink(path)

    def publish(self, staged: Path, target: Path) -> bool:
        """Give a staged file its name; if the name is taken, change nothing and return False."""
        with self._explained():
            self._make(target.parent)
            try:
                system.link(staged, target)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno in _NO_LINKS:
                    raise NotWritable(
                        f"the file system of {self.root} has no hard links, which a registry needs",
                        hint=_ELSEWHERE,
                    ) from error
                raise
            return True

    def replace(self, staged: Path, target: Path) -> None:
        """Put a staged file in the place of another."""
        with self._explained():
            self._make(target.parent)
            system.replace(staged, target)

    def settle(self, directory: Path) -> None:
        """Make the names in ``directory``, and those of its parents, survive a power cut.

        Those of its parents, too, because another process may have made them and not yet have come to this call.
        """
        with self._explained():
            for step in (directory, *directory.parents):
                _sync(step)
                if step == self.root:
                    break

    def _make(self, directory: Path) -> None:
        if directory.is_dir():
            return
        self._make(directory.parent)
        try:
            system.mkdir(directory)
        except FileExistsError:
            if not directory.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "", str(directory)) from None
        _sync(directory.parent)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = _ELSEWHERE
            match error.errno:
                case errno.ENOSPC | errno.EDQUOT:
                    reason, hint = "the disk is full", f"free some space, or {_ELSEWHERE}"
                case errno.EROFS:
                    reason = "the file system is read-only"
                case errno.EACCES | errno.EPERM:
                    reason = f"permission denied: {error.filename or self.root}"
                case errno.ENOTDIR:
                    path = Path(error.filename)
                    file = next((place for place in (path, *path.parents) if place.is_file()), path)
                    reason = f"{file} is a file, not a directory"
                case _:
                    reason = f"{error.strerror}: {error.filename or self.root}"
            raise NotWritable(f"cannot use the registry {self.root}: {reason}", hint=hint) from error


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[system.write(descriptor, rest) :]


def _sync(directory: Path) -> None:
    if os.name == "nt":  # directories cannot be opened there
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        system.fsync(descriptor)
    finally:
        os.close(descriptor)
