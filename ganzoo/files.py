"""Where files go, and how they are written: a reader finds the old one or the new one, never a part."""

import contextlib
import errno
import math
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import GanzooError, UsageError, first_line
from ganzoo_registry.documents import Unreadable, decode_text, parse_json, parse_object

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

__all__ = [
    "Unreadable",
    "cache_root",
    "cannot_write",
    "check_absent",
    "checked",
    "create_like",
    "json_value",
    "parse_json",
    "parse_object",
    "parse_toml",
    "registry_root",
    "replaceable",
    "sync_directory",
    "web_opener",
    "write_atomic",
    "write_folder",
]

_REASONS = {
    errno.ENOENT: ("the directory {directory} does not exist", "make it first: mkdir -p {directory}"),
    errno.ENOTDIR: ("{directory} is not a directory", "choose a path inside a directory"),
    errno.EACCES: ("the directory {directory} is not writable", "choose a directory that you may write to"),
    errno.EPERM: ("the directory {directory} is not writable", "choose a directory that you may write to"),
    errno.EROFS: ("the file system of {directory} is read-only", "choose a directory that you may write to"),
    errno.ENOSPC: ("the disk is full", "free some space, or choose a directory on another disk"),
    errno.EBUSY: ("something else is mounted there", "mount its directory instead of the file, or choose another path"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, or choose a directory on another disk"),
}

_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.ENOSYS)
"""What the system says where a directory cannot be synced."""

_GIVE = "give a path; a variable that is not set leaves nothing"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+")
_STREAM = re.compile(r"/dev/(stdin|stdout|stderr|fd/)|/proc/")


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path``, replacing a regular file that is there; symbolic links are followed.

    A file that is replaced passes its permissions on.

    Raises:
        GanzooError: it could not be written; ``path`` is then as it was, and nothing else is left behind.
    """
    target = replaceable(path)
    # Beside the target, because a rename is atomic only within a file system.
    partial = target.with_name(f".{os.urandom(8).hex()}.partial")
    try:
        create_like(partial, target)
        _write(partial, data)
        os.replace(partial, target)
        sync_directory(target.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def replaceable(path: str | os.PathLike[str]) -> Path:
    """The path at which a file may be replaced by another: symbolic links are followed.

    Raises:
        GanzooError: something is there that is not a regular file.
    """
    if _STREAM.match(os.fspath(path)) or (os.path.exists(path) and not os.path.isfile(path)):
        # os.replace would replace even /dev/null
        raise GanzooError(f"cannot write {path}: it is not a regular file", hint="choose the path of a file")
    return Path(os.path.realpath(path))


def check_absent(place: Path, option: str) -> None:
    """Refuse a directory that is there already: what ``write_folder`` makes is new.

    Args:
        option: how a person chooses another place, for the hint.

    Raises:
        UsageError: something is there.
    """
    if os.path.lexists(place):  # unlike Path.exists, false for a name that no file can have
        raise UsageError(f"{place} is there already", hint=f"choose another place: {option} DIR, or remove it")


def write_folder(place: Path, content: Mapping[str, bytes]) -> None:
    """Write a new directory, and those that it lies in; it appears whole or not at all.

    Args:
        content: path in the directory, with ``/`` -> what the file holds.

    Raises:
        GanzooError: it cannot be written.
    """
    import shutil  # 10 ms with what it imports, and few commands write folders
    import tempfile

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))
        try:
            for path, data in content.items():
                (partial / path).parent.mkdir(parents=True, exist_ok=True)
                (partial / path).write_bytes(data)
            partial.chmod(0o777 & ~_umask())
            partial.rename(place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise cannot_write(place, error) from error


def _umask() -> int:
    """The mask of the files that this process makes; ``mkdtemp`` lets nobody else in."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def cannot_write(path: str | os.PathLike[str], error: OSError) -> GanzooError:
    """The error to raise for ``error``, with a hint at what would help."""
    reason, hint = _REASONS.get(error.errno or 0, (error.strerror or str(error), ""))
    names = {"directory": Path(path).parent}
    return GanzooError(f"cannot write {path}: {reason.format(**names)}", hint=hint.format(**names) or None)


def json_value(value: Any) -> Any:
    """A value as JSON has it: ``"inf"``, ``"-inf"``, ``"nan"`` for what is not finite, and lists for tuples."""
    match value:
        case float():
            return value if math.isfinite(value) else str(value)
        case Mapping():
            return {key: json_value(each) for key, each in value.items()}
        case list() | tuple():
            return [json_value(each) for each in value]
    return value


def flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested tables as rows of a dotted key and a value."""
    rows: list[tuple[str, Any]] = []
    for key, value in tree.items():
        nested = isinstance(value, Mapping) and value
        rows += flatten(value, f"{prefix}{key}.") if nested else [(f"{prefix}{key}", value)]
    return rows


def parse_toml(data: bytes | str) -> dict[str, Any]:
    """The table that TOML text in UTF-8 stands for; a byte order mark is passed over, and a file's lines may end in CR.

    Raises:
        Unreadable: it is too large, nested deeper than Python can go, no UTF-8, or not TOML.
    """
    import tomllib

    try:
        text = decode_text(data)
        return tomllib.loads(text if isinstance(data, str) else text.replace("\r\n", "\n").replace("\r", "\n"))
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError; and an integer of too many digits
        raise Unreadable(first_line(error)) from None


def create_like(path: Path, like: Path) -> None:
    """Make an empty file with the permissions of ``like``, if that is there: nobody else may see what is written."""
    with path.open("xb") as file, contextlib.suppress(FileNotFoundError):
        before, now = like.stat(), os.fstat(file.fileno())
        # Only what differs: some file systems have one owner and one mode for all files, and refuse to set even these.
        if before.st_mode != now.st_mode:
            os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
        if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
            with contextlib.suppress(OSError):  # only root may give a file to somebody else, and not to everybody
                os.fchown(file.fileno(), before.st_uid, before.st_gid)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Make the rename itself survive a power cut, where that can be asked for.

    Windows does not open directories, nor does a system those that may be written to but not read; some file systems
    of networks do not sync them. The file is in its place all the same.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def checked(path: str | os.PathLike[str], what: str) -> Path:
    """A path that a person gave, with ``~`` filled in.

    Args:
        what: names the path in messages, such as ``--registry``.

    Raises:
        UsageError: it is empty, ``-``, an address such as ``s3://bucket``, nothing that a file can be called, or it
            names the home of nobody.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise UsageError(f"{what}: {path!r} is not a path", hint="give it as text, or as a pathlib.Path")
    if not text or "\0" in text:
        raise UsageError(f"{what}: the path is empty" if not text else f"{what}: no path", hint=_GIVE)
    if text == "-":
        raise UsageError(f"{what}: '-' is not a path here", hint="for a file of that name: ./-")
    if address := _ADDRESS.match(text):
        raise UsageError(
            f"{what} {text}: {address[0]} is an address, and ganzoo reads and writes files of this machine alone",
            hint="give a directory; storage elsewhere can be mounted, or copied",
        )
    try:
        path = Path(text).expanduser()
        os.fsencode(path)
        return path.absolute() if str(path) == "-" else path  # or it would be refused where it is looked at again
    except RuntimeError as error:
        raise UsageError(f"{what} {text}: there is no such home directory", hint="give the whole path") from error
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{what}: {text!r} cannot be the name of a file", hint="leave out the half of a character in it"
        ) from error


def registry_root(option: str | os.PathLike[str] | None = None) -> Path:
    """The registry's directory: ``option``, else ``$GANZOO_REGISTRY``, else in the user's data directory.

    Raises:
        UsageError: it is none; see ``checked``.
        GanzooError: the user has no home directory.
    """
    if option is not None:
        return checked(option, "--registry")
    if named := os.environ.get("GANZOO_REGISTRY"):
        return checked(named, "GANZOO_REGISTRY")
    return _in_home("user_data_dir", "the registry", "--registry DIR, GANZOO_REGISTRY=DIR or HOME=DIR") / "registry"


def cache_root() -> Path:
    """Where downloads and extractors that were made are kept: ``$GANZOO_CACHE``, else the user's cache directory.

    Raises:
        UsageError: it is none; see ``checked``.
        GanzooError: the user has no home directory.
    """
    if named := os.environ.get("GANZOO_CACHE"):
        return checked(named, "GANZOO_CACHE")
    return _in_home("user_cache_dir", "what is downloaded or made", "GANZOO_CACHE=DIR or HOME=DIR")


def _in_home(kind: str, what: str, cure: str) -> Path:
    import platformdirs

    try:
        place = Path(getattr(platformdirs, kind)("ganzoo", appauthor=False))
    except (RuntimeError, KeyError):  # a user without an entry in the list of users, as in many containers
        place = Path()
    if not place.is_absolute():
        raise GanzooError(f"there is no home directory in which {what} could be", hint=f"say where: {cure}")
    return place


def web_opener() -> "OpenerDirector":
    """What opens http and https addresses, and nothing else.

    urllib's default openers include files and FTP, to which a redirect could lead.
    """
    from urllib import request  # 30 ms

    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPRedirectHandler,
        request.HTTPErrorProcessor,
        request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener
