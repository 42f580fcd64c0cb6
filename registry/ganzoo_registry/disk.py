"""All access to the file system, in an order that survives a crash.

A file gets its name only when its bytes are on the disk: written to ``tmp/``, fsynced, then linked. ``link``
fails where the name is taken, over NFS too, so it is create-if-absent.
"""

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ganzoo_registry.errors import NotWritable
from ganzoo_registry.locks import lock, opened
from ganzoo_registry.presence import leads_nowhere, seems, size
from ganzoo_registry.reasons import FULL, nearest, reason

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.ENOSYS)
"""What file systems, mostly of networks, say where a directory cannot be synced."""

_ELSEWHERE = "choose another place with --registry DIR or GANZOO_REGISTRY"
_STAGED = re.compile(r"[0-9a-f]{32}")

ABANDONED_SECONDS = 24 * 60 * 60
"""Age at which a file in ``tmp/`` is taken for the leftover of a process that was killed."""


class System:
    """The system calls that change something. Tests replace them, to crash or to fail at any of them."""

    open = staticmethod(os.open)
    write = staticmethod(os.write)
    fsync = staticmethod(os.fsync)
    link = staticmethod(os.link)
    replace = staticmethod(os.replace)
    unlink = staticmethod(os.unlink)
    mkdir = staticmethod(os.mkdir)
    rmdir = staticmethod(os.rmdir)
    utime = staticmethod(os.utime)


system = System()


class Disk:
    """The tree under ``root``. It turns every OSError into ``NotWritable``, with a reason and a hint."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._reached = False  # whether the way to the root is known to survive a power cut

    # reading

    def entries(self, directory: str | Path) -> dict[str, bool]:
        """The names in a directory, and whether a file seems to have it (``presence.seems``): no directory or device.

        There are none if the directory does not exist, or is something else.
        """
        with self._explained(), self._scan(directory) as entries:
            return {entry.name: seems(entry.is_file, entry.path) for entry in entries}

    def names(self, directory: str | Path) -> list[str]:
        """The names in a directory, in no order."""
        with self._explained():
            try:
                return os.listdir(directory)
            except (FileNotFoundError, NotADirectoryError):
                with self._scan(directory) as entries:  # which tells the two apart
                    return [entry.name for entry in entries]

    def holds(self, directory: str | Path, wanted: re.Pattern[str]) -> bool:
        """Whether a file with such a name seems to be in a directory; names are read until one is found."""
        with self._explained(), self._scan(directory) as entries:
            return any(wanted.fullmatch(entry.name) and seems(entry.is_file, entry.path) for entry in entries)

    def directories(self, directory: str | Path) -> list[str]:
        """The names of what seem to be directories in a directory."""
        with self._explained(), self._scan(directory) as entries:
            return [entry.name for entry in entries if seems(entry.is_dir, entry.path)]

    def size(self, path: str | Path) -> int | None:
        """A file's size in bytes; None if there is no file of this name."""
        with self._explained():
            return size(path)

    def read(self, path: str | Path, most: int) -> bytes | None:
        """A file's bytes, of a larger one the first ``most`` and one more; None if there is no file of this name."""
        with self._explained():
            if size(path) is None:  # before it is opened, for a pipe would be waited at
                return None
            try:
                with open(path, "rb") as file:
                    return file.read(most + 1)
            except FileNotFoundError:
                return None

    def chunks(self, path: Path, most: int) -> Iterator[bytes]:
        """A file's bytes, at most ``most`` at a time."""
        with self._explained(), open(path, "rb") as file:
            while chunk := file.read(most):
                yield chunk

    def changed(self, directory: str | Path) -> float:
        """When something in a directory was last made, replaced or removed: seconds since 1970; 0 if it is none."""
        with self._explained():
            try:
                return os.stat(directory).st_mtime
            except FileNotFoundError:
                return 0.0

    # writing

    @contextmanager
    def staged(self, chunks: Iterable[bytes], directory: Path | None = None) -> Iterator[Path]:
        """A file in ``tmp/``, or in ``directory``, with ``chunks`` in it, read-only and fsynced.

        It is gone after the block.
        """
        path = (directory or self.root / "tmp") / os.urandom(16).hex()
        with self._explained():
            self._make(path.parent)
            descriptor = system.open(path, _CREATE, 0o444)
        try:
            with self._explained():
                try:
                    self._sweep(path.parent, os.fstat(descriptor).st_mtime - ABANDONED_SECONDS)
                    for chunk in chunks:
                        _write(descriptor, chunk)
                    system.fsync(descriptor)
                finally:
                    os.close(descriptor)
            yield path
        finally:
            # A file that stays behind is never read, so a failure to remove it must not undo what was achieved.
            self.tidy(path)

    def publish(self, staged: Path, target: Path) -> bool:
        """Give a staged file its name; if the name is taken, change nothing and return False."""
        with self._explained():
            self._make(target.parent)
            try:
                self._link(staged, target)
            except FileExistsError:
                return False
            return True

    def replace(self, staged: Path, target: Path) -> None:
        """Put a staged file in the place of another."""
        with self._explained():
            self._make(target.parent)
            system.replace(staged, target)

    def renew(self, path: Path) -> bool:
        """Date a file as if it had just been written; False if it is gone, or that is refused, as for others' files."""
        try:
            system.utime(path)
        except OSError:
            return False
        return True

    @contextmanager
    def locked(self, directory: Path, *, alone: bool) -> Iterator[None]:
        """Hold a directory's lock, which is waited for; the system lets go of it when the process ends.

        Args:
            alone: nobody else holds it, not even shared. Else it may be held by many, or, where it cannot be held, by
                none.

        Raises:
            NotWritable: it is to be held alone, and the file system has no locks.
        """
        with self._explained():
            self._make(directory)
            descriptor = opened(directory)
        try:
            if not lock(descriptor, alone=alone) and alone:
                raise NotWritable(
                    f"the file system of {self.root} has no locks, without which nothing is removed from it",
                    hint="copy the registry to another place, and use that",
                )
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove a file, which may be gone."""
        with self._explained(), suppress(FileNotFoundError):
            system.unlink(path)

    def tidy(self, path: str | Path) -> None:
        """Remove a file that nothing needs; it may be gone, and may stay."""
        with suppress(OSError):
            system.unlink(path)

    def prove(self, places: Iterable[Path]) -> None:
        """Link a file into each of some directories, or into what they will be made in, and remove it again.

        Nothing is left, so nothing that others make at the same time is in the way.
        """
        with self._workplace() as workplace, self.staged([b"proof"], workplace) as staged:
            for place in places:
                link = nearest(place) / f".{staged.name}"  # with the dot it is no name of anything
                with self._explained():
                    self._link(staged, link)
                    system.unlink(link)

    def settle(self, directory: Path) -> None:
        """Make the names in ``directory``, and those of its parents, survive a power cut.

        Those of its parents, too, because another process may have made them and not yet have come to this call, and
        a person may just have made what is above the registry.
        """
        with self._explained():
            for step in (directory, *directory.parents):
                _sync(step)
                if step == self.root:
                    break
            if not self._reached:
                self._settle_above()
                self._reached = True

    def _settle_above(self) -> None:
        device = os.stat(self.root).st_dev
        for step in self.root.parents:
            if os.stat(step).st_dev != device:  # a mounted file system's root has no name to lose
                break
            _sync(step)

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

    def _link(self, staged: Path, target: Path) -> None:
        try:
            system.link(staged, target)
        except OSError as error:
            if error.errno in _NO_LINKS:
                raise NotWritable(
                    f"the file system of {self.root} has no hard links, which a registry needs", hint=_ELSEWHERE
                ) from error
            raise OSError(error.errno, error.strerror, str(target.parent)) from error

    def _sweep(self, directory: Path, before: float) -> None:
        """Remove staged files that were abandoned: older than ``before``, by the clock that dates files."""
        with self._scan(directory) as entries, suppress(OSError):
            for entry in entries:
                if (
                    _STAGED.fullmatch(entry.name)
                    and entry.is_file(follow_symlinks=False)
                    and entry.stat(follow_symlinks=False).st_mtime < before
                ):
                    self.tidy(entry.path)

    @contextmanager
    def _workplace(self) -> Iterator[Path]:
        """``tmp/``, or, where there is none yet, a directory of one's own where it would be made."""
        with self._explained():
            tmp = self.root / "tmp"
            found = nearest(tmp)
            if found != tmp:
                found /= f".{os.urandom(16).hex()}"
                system.mkdir(found)
        try:
            yield found
        finally:
            if found != tmp:
                with suppress(OSError):
                    system.rmdir(found)

    @contextmanager
    def _scan(self, directory: str | Path) -> Iterator[Iterable[os.DirEntry[str]]]:
        try:
            entries = os.scandir(directory)
        except FileNotFoundError:
            if leads_nowhere(nearest(Path(directory))):
                raise  # what was in it is not gone, but somewhere else
            yield ()
        except NotADirectoryError:
            if not os.path.isdir(nearest(self.root)):
                raise
            yield ()  # something else has the name of a directory of the registry
        else:
            with entries:
                yield entries

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place = Path(error.filename2 or error.filename or self.root)
            hint = f"free some space, or {_ELSEWHERE}" if error.errno in FULL else _ELSEWHERE
            raise NotWritable(f"cannot use the registry {self.root}: {reason(error, place)}", hint=hint) from error


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[system.write(descriptor, rest) :]


def _sync(directory: Path) -> None:
    """As far as that can be asked for: Windows opens no directories, nor does a system those that may not be read."""
    descriptor = opened(directory)
    if descriptor is None:
        return
    try:
        system.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)
