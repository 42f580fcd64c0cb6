import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganzoo.errors import ExitCode, GanzooError
from ganzoo.files import write_atomic


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    write_atomic(path, b"old")
    write_atomic(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_atomic(tmp_path / "out", b"")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_follows_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_atomic(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_directory_missing(tmp_path: Path) -> None:
    path = tmp_path / "none" / "out.png"
    with pytest.raises(GanzooError) as caught:
        write_atomic(path, b"x")
    assert str(caught.value) == f"cannot write {path}: the directory {path.parent} does not exist"
    assert caught.value.hint == f"make it first: mkdir -p {path.parent}"
    assert caught.value.exit_code == ExitCode.FAILURE


def test_parent_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GanzooError, match="file is not a directory"):
        write_atomic(tmp_path / "file" / "out", b"x")


@pytest.mark.parametrize("path", ["directory", os.devnull])
def test_only_regular_files_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "directory").mkdir()
    with pytest.raises(GanzooError) as caught:
        write_atomic(path, b"x")
    assert str(caught.value) == f"cannot write {path}: it is not a regular file"
    assert caught.value.hint == "choose the path of a file"
    assert os.path.exists(path)


@pytest.mark.parametrize(
    ("number", "message", "hint"),
    [
        (errno.ENOSPC, "the disk is full", "free some space"),
        (errno.EDQUOT, "the disk quota is used up", "free some space"),
        (errno.EROFS, "is read-only", "choose a directory"),
        (errno.EACCES, "is not writable", "choose a directory"),
        (errno.EIO, os.strerror(errno.EIO), None),
    ],
)
def test_what_the_system_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str, hint: str | None
) -> None:
    """Written already, refused on the way to the disk: the old file stays, and nothing else."""
    path = tmp_path / "out"
    path.write_bytes(b"old")

    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(GanzooError, match=message) as caught:
        write_atomic(path, b"new")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == ExitCode.FAILURE
    assert caught.value.hint is None if hint is None else (caught.value.hint or "").startswith(hint)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def refusing(error: int, only: Callable[[int], bool] = lambda descriptor: True) -> Callable[..., None]:
    def call(descriptor: int, *_: int) -> None:
        if only(descriptor):
            raise OSError(error, os.strerror(error))

    return call


def is_directory(descriptor: int) -> bool:
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.EPERM])
def test_a_file_system_on_which_all_files_are_alike_is_not_asked_to_make_them_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """As of FAT, and of many networks: they refuse even the mode and the owner that a file has."""
    path = tmp_path / "x"
    path.write_bytes(b"old")
    for name in ("fchmod", "fchown"):
        monkeypatch.setattr(os, name, refusing(error))
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomic(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.EBADF])
def test_a_directory_that_cannot_be_synced_fails_no_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    monkeypatch.setattr(os, "fsync", refusing(error, is_directory))
    write_atomic(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"


def test_a_directory_that_may_not_be_read_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def refuse(path: Any, flags: int, *mode: int) -> int:
        if Path(path) == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", refuse)
    write_atomic(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"


def test_a_directory_on_a_disk_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", refusing(errno.EIO, is_directory))
    with pytest.raises(GanzooError, match="Input/output error"):
        write_atomic(tmp_path / "x", b"new")
