"""Where files go, and how they are written: a reader finds the old one or the new one, never a part."""

import contextlib
import errno
import os
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError, first_line
from ganzoo_registry.documents import Unreadable, decode_text, parse_json, parse_object

__all__ = [
    "Unreadable",
    "cache_root",
    "cannot_write",
    "parse_json",
    "parse_object",
    "parse_toml",
    "registry_root",
    "sync_directory",
    "write_atomic",
]

_REASONS = {
    errno.ENOENT: ("the directory {directory} does not exist", "make it first: mkdir -p {directory}"),
    errno.ENOTDIR: ("{directory} is not a directory", "choose a path inside a directory"),
    errno.EACCES: ("the directory {directory} is not writable", "choose a directory that you may write to"),
    errno.EPERM: ("the directory {directory} is not writable", "choose a directory that you may write to"),
    errno.EROFS: ("the file system of {directory} is read-only", "choose a directory that you may write to"),
    errno.ENOSPC: ("the disk is full", "free some space, or choose a directory on another disk"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, or choose a directory on another disk"),
}


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path``, replacing a regular file that is there; symbolic links are followed.

    Raises:
        GanzooError: it could not be written; ``path`` is then as it was, and nothing else is left behind.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():  # os.replace would replace even /dev/null
        raise GanzooError(f"cannot write {path}: it is not a regular file", hint="choose the path of a file")
    # Beside the target, because a rename is atomic only within a file system.
    partial = target.with_name(f".{os.urandom(8).hex()}.partial")
    try:
        _write(partial, data)
        os.replace(partial, target)
        sync_directory(target.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def cannot_write(path: str | os.PathLike[str], error: OSError) -> GanzooError:
    """The error to raise for ``error``, with a hint at what would help."""
    reason, hint = _REASONS.get(error.errno or 0, (error.strerror or str(error), ""))
    names = {"directory": Path(path).parent}
    return GanzooError(f"cannot write {path}: {reason.format(**names)}", hint=hint.format(**names) or None)


def parse_toml(data: bytes | str) -> dict[str, Any]:
    """The table that TOML text in UTF-8 stands for; a byte order mark is passed over.

    Raises:
        Unreadable: it is too large, nested deeper than Python can go, no UTF-8, or not TOML.
    """
    import tomllib

    try:
        return tomllib.loads(decode_text(data))
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError; and an integer of too many digits
        raise Unreadable(first_line(error)) from None


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Make the rename itself survive a power cut; Windows cannot open directories and does not need to."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def registry_root(option: Path | None = None) -> Path:
    """The registry's directory: ``option``, else ``$GANZOO_REGISTRY``, else in the user's data directory."""
    if named := option or os.environ.get("GANZOO_REGISTRY"):
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("ganzoo", appauthor=False)) / "registry"


def cache_root() -> Path:
    """Where downloads are kept: ``$GANZOO_CACHE``, else the user's cache directory."""
    if named := os.environ.get("GANZOO_CACHE"):
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("ganzoo", appauthor=False))
