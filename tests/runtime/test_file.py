"""Which references mean a file, and files that are none: said before a byte of them is read."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ganzoo
from ganzoo.cli import main
from ganzoo.errors import ExitCode, GanzooError, IntegrityError, NotFoundError, UsageError
from ganzoo.runtime.file import LARGEST, file_of, read_file
from ganzoo_registry import Registry


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(60_000_000_000)


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


ODD: dict[str, tuple[Callable[[Path], Any], type[GanzooError], str]] = {
    "nothing": (lambda path: None, NotFoundError, "{path}: No such file or directory"),
    "dangling": (lambda path: path.symlink_to("nowhere"), NotFoundError, "{path}: No such file or directory"),
    "directory": (Path.mkdir, NotFoundError, "{path} is not a regular file"),
    "pipe": (os.mkfifo, NotFoundError, "{path} is not a regular file"),
    "endless": (lambda path: path.symlink_to("/dev/zero"), NotFoundError, "{path} is not a regular file"),
    "null": (lambda path: path.symlink_to("/dev/null"), NotFoundError, "{path} is not a regular file"),
    "socket": (bound, NotFoundError, "{path}: No such device or address"),
    "60 GB": (sparse, IntegrityError, "{path} has 60.0 GB, and an ONNX file at most 2.1 GB"),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_file_of_a_model(kind: str, tmp_path: Path) -> None:
    make, error, message = ODD[kind]
    path = tmp_path / "x.onnx"
    make(path)
    for read in (read_file, ganzoo.load):
        with pytest.raises(error) as caught:
            read(path)
        assert str(caught.value) == message.format(path=path)
        assert caught.value.hint == "give the path of an exported file, or a registry name"


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(NotFoundError, match="is not the path of a file"):
        ganzoo.load("a\0b.onnx")


@pytest.mark.parametrize("reference", [5, b"x.onnx", "", None, [], True])
def test_what_is_no_reference(reference: Any) -> None:
    with pytest.raises(UsageError) as caught:
        ganzoo.load(reference)
    assert str(caught.value) == f"{reference!r} is neither a reference nor a path"
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_path_is_a_file_whatever_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").touch()
    assert file_of("X.ONNX") == Path("X.ONNX")
    assert file_of(str(tmp_path / "there")) == tmp_path / "there"
    assert file_of("./there") == Path("there")
    for name in ("there", "there:3", "there@champion", "./gone", "a/b"):
        assert file_of(name) is None


def test_the_path_that_the_registry_prints_can_be_opened(
    make_onnx: Callable[..., bytes],
    own_registry: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Registry(own_registry)
    store.attach(store.register("tiny", {}, {"config": {}}), "onnx", make_onnx())
    assert main(["registry", "path", "tiny", "onnx"]) == 0
    printed = capsys.readouterr().out.strip()
    assert not printed.endswith(".onnx")
    for reference in (printed, "tiny"):
        assert (
            main(["sample", reference, "-n", "2", "--seed", "1", "--device", "cpu", "-o", f"{len(reference)}.npy"]) == 0
        )
    first, second = (path.read_bytes() for path in tmp_path.glob("*.npy"))
    assert first == second


def test_the_largest_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganzoo.runtime.file.LARGEST", 10)
    (tmp_path / "x.onnx").write_bytes(b"x" * 10)
    assert read_file(tmp_path / "x.onnx") == b"x" * 10
    assert LARGEST == 2**31 - 1
