"""Downloading a file once: from mirrors that may be slow, broken or lying, into a cache that is always checked."""

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request

from ganzoo.errors import GanzooError
from ganzoo.files import cache_root, web_opener
from ganzoo.progress.bars import ProgressBar
from ganzoo.progress.stderr import draws, note as told
from ganzoo.version import __version__

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["fetch"]

Note = Callable[[str], None]

BLOCK = 1 << 16
SLOWEST = 4096
"""Bytes per second below which a mirror is given up."""

_kept_offline = ContextVar("_kept_offline", default=False)


class OfflineError(GanzooError):
    """A file that has to be downloaded is asked for where nothing may be."""


@contextmanager
def offline() -> Iterator[None]:
    """Let ``fetch`` download nothing meanwhile; what is in the cache already can be had.

    Raises:
        OfflineError: something else is asked for.
    """
    token = _kept_offline.set(True)
    try:
        yield
    finally:
        _kept_offline.reset(token)


def fetch(name: str, *, size: int, sha256: str, urls: Sequence[str], note: Note = told, patience: float = 30.0) -> Path:
    """The file ``name`` in the cache, downloaded if it is not there or is not what it should be.

    An interrupted download is continued, from any mirror. One process downloads at a time; the others wait for it. Only
    bytes that have the right digest ever get the name.

    Args:
        name: its path in the cache, such as ``"mnist/train-images-idx3-ubyte.gz"``.
        size: in bytes; no more are accepted.
        sha256: of the file, 64 hexadecimal digits.
        urls: mirrors of the same bytes, http or https, in the order in which they are tried.
        note: is told, line by line, what happens, on stderr unless said otherwise; nothing if the file is there
            already. A terminal also shows a bar.
        patience: seconds without an answer, or with fewer than ``SLOWEST`` bytes a second, after which a mirror is
            given up.

    Raises:
        GanzooError: no mirror sent the file, or the cache cannot be written.
    """
    path = cache_root() / name
    try:
        if _is_whole(path, size, sha256):
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with alone(cache_root() / "lock", note, "downloads"):
            if not _is_whole(path, size, sha256):  # another process may have fetched it meanwhile
                _download(path, name, size, sha256, urls, note, patience)
    except OSError as error:
        raise GanzooError(
            f"cannot keep {name} in {cache_root()}: {error.strerror or error}",
            hint="set GANZOO_CACHE to a directory that can be written to",
        ) from error
    return path


class _MirrorError(Exception):
    """Why a mirror is given up."""


def _download(path: Path, name: str, size: int, sha256: str, urls: Sequence[str], note: Note, patience: float) -> None:
    if _kept_offline.get():
        raise OfflineError(f"{name} is not downloaded")
    if path.exists():
        note(f"{path} is not the file that it should be, and is downloaded again")
    partial = path.with_name(f".{path.name}.partial")
    reasons = []
    for url in urls:
        host = urlsplit(url).netloc or url
        note(f"downloading {name} ({_amount(size)}) from {host}")
        try:
            _receive(url, partial, size, sha256, note, patience)
        except _MirrorError as error:
            reasons.append(f"{host}: {error}")
            note(f"{host}: {error}")
        else:
            os.replace(partial, path)
            return
    raise GanzooError(
        f"cannot download {name}: {'; '.join(reasons)}",
        hint=f"try again, or put the file whose sha256 is {sha256} at {path}",
    )


def _receive(url: str, partial: Path, size: int, sha256: str, note: Note, patience: float) -> None:
    """Complete ``partial``; if the digest is wrong and bytes were there before, start again from the beginning."""
    while True:
        start = _append(url, partial, size, note, patience)
        if _is_whole(partial, size, sha256):
            return
        partial.unlink()
        if not start:
            raise _MirrorError("sends other bytes than it should (by their sha256)")


def _append(url: str, partial: Path, size: int, note: Note, patience: float) -> int:
    """Add to ``partial`` until it has ``size`` bytes; returns how many of the earlier bytes were kept."""
    offset = partial.stat().st_size if partial.exists() else 0
    if offset >= size:
        return offset
    with _answer(url, offset, patience) as response:
        start = _first_byte(response, offset, size)
        with partial.open("ab") as file, ProgressBar("downloading", "kB") as received:
            file.truncate(start)
            done = start
            for block in _blocks(response, start, size, note, patience):
                done += file.write(block)
                received(done // 1000, size // 1000)
    return start


@contextmanager
def _answer(url: str, offset: int, patience: float) -> Iterator[HTTPResponse]:
    resume = {"Range": f"bytes={offset}-"} if offset else {}
    with _network():
        request = Request(url, headers={"User-Agent": f"ganzoo/{__version__}", **resume})  # noqa: S310 - see web_opener
        response = cast("HTTPResponse", web_opener().open(request, timeout=patience))
    with response:
        yield response


def _first_byte(response: HTTPResponse, offset: int, size: int) -> int:
    """Where in the file the answer begins: at ``offset``, as asked for, or at 0 if the server knows no ranges."""
    start = 0
    if response.status == 206:
        start = offset
        if not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            raise _MirrorError("sends another part than was asked for")
    length = response.headers.get("Content-Length")
    if length is not None and length != str(size - start):
        raise _MirrorError(f"offers {length} bytes, where {size - start} are wanted")
    return start


def _blocks(response: HTTPResponse, start: int, size: int, note: Note, patience: float) -> Iterator[bytes]:
    done, since, then = start, start, time.monotonic()
    while done < size:
        with _network():
            block = response.read1(min(BLOCK, size - done))
        if not block:
            raise _MirrorError(f"stopped after {done:,} of {size:,} bytes")
        yield block
        done += len(block)
        if (now := time.monotonic()) > then + patience:
            if done - since < SLOWEST * (now - then):
                raise _MirrorError(f"sends fewer than {SLOWEST:,} bytes a second")
            if not draws():
                note(f"{_amount(done)} of {_amount(size)}")
            since, then = done, now


@contextmanager
def _network() -> Iterator[None]:
    """Turn whatever goes wrong on the network into one kind of error."""
    try:
        yield
    except HTTPError as error:
        error.close()
        raise _MirrorError(f"HTTP {error.code}, {_first_line(error.reason)}") from error
    except (OSError, HTTPException, ValueError) as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, TimeoutError):
            raise _MirrorError("no answer") from error
        raise _MirrorError(_first_line(getattr(cause, "strerror", None) or cause) or type(cause).__name__) from error


def _amount(size: int) -> str:
    return f"{size / 1e3:.0f} kB" if size < 1e6 else f"{size / 1e6:.1f} MB"


def _first_line(text: object) -> str:
    return next(iter(str(text).splitlines()), "")


def _is_whole(path: Path, size: int, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_size == size and hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False


@contextmanager
def alone(lock: Path, note: Note, doing: str) -> Iterator[None]:
    """Hold ``lock``, which the system releases when the process ends, however it ends.

    Args:
        note: is told once if another process holds it.
        doing: what that process does, for the note.
    """
    with lock.open("ab") as file:
        waiting = False
        while not _try_lock(file.fileno()):
            if not waiting:
                note(f"waiting for another process that {doing}")
            waiting = True
            time.sleep(0.1)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX's and Windows's errors for a lock that is held
        return False
    return True
