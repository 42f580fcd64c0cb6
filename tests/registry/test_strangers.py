"""What other programs leave in a registry: file managers, editors, tools that copy and keep in step."""

import os
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from ganzoo_registry import Conflict, NotWritable, Registry, RegistryError

DIRECTORIES = (
    ".",
    "blobs",
    "blobs/sha256",
    "models",
    "models/dcgan",
    "models/dcgan/versions",
    "models/dcgan/aliases",
    "models/dcgan/aliases/champion",
    "models/dcgan/attachments",
    "models/dcgan/attachments/1",
    "tmp",
)
FILES = (
    *("desktop.ini", "Thumbs.db", "thumbs.db", ".DS_Store", "Icon\r", "._1", "~$onnx", "onnx~", "#onnx#", "onnx.bak"),
    *("1~", ".1.Xa3b9Q", "1.tmp", "2.part", "3 (conflicted copy)", "1 (1)", "-1", "1.sync-conflict-1", "onnx.orig"),
    *(".nfs00000001", ".onnx.swp", "٣", "x" * 200, "a\nb", "eval.json"),
)


def file(path: Path) -> None:
    path.write_bytes(b"[.ShellClassInfo]")


def directory(path: Path) -> None:
    path.mkdir()
    (path / "onnx.thumb").write_bytes(b"{}")


def empty_directory(path: Path) -> None:
    path.mkdir()


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.fixture
def filled(registry: Registry, put: Any) -> Registry:
    version = put("one")
    registry.attach(version, "onnx", b"graph")
    registry.alias("dcgan:1", "champion")
    return registry


def try_everything(registry: Registry, check: Any, before: dict[str, Any]) -> None:
    """Reading gives what it gave, nothing is a fault, and each kind of write works and is read back."""
    assert check(registry) == before
    assert registry.faults() == []
    registry.prepare("dcgan")
    blobs = {"generator-ema": b"ema two", "generator": b"gen two"}
    version = registry.register("dcgan", blobs, {"word": "two"})
    registry.attach(version, "onnx", b"two")
    registry.alias(str(version), "champion")
    assert registry.register("dcgan", blobs, {"word": "two"}) == version
    after = check(registry)["dcgan"]
    assert after["versions"] == {**before["dcgan"]["versions"], version.number: ("two", {"onnx": b"two"})}
    assert after["aliases"] == {"champion": version.number}


@pytest.mark.parametrize("where", DIRECTORIES)
def test_files_of_other_programs_are_passed_over(filled: Registry, check: Any, where: str) -> None:
    before = check(filled)
    for name in FILES:
        file(filled.root / where / name)
    for name in ("@eaDir", "lost+found", ".stfolder", "onnx.d", "Champion", "desktop.ini.d"):
        directory(filled.root / where / name)
    try_everything(filled, check, before)


@pytest.mark.parametrize("make", [directory, empty_directory, pipe, device], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "where",
    [
        "models/dcgan/versions/2",
        "models/dcgan/versions/7",
        "models/dcgan/aliases/champion/2",
        "models/dcgan/attachments/1/other",
        "tmp/" + "0" * 32,
    ],
)
def test_what_has_the_name_of_a_record_and_is_no_file_is_none(
    filled: Registry, check: Any, where: str, make: Callable[[Path], None]
) -> None:
    before = check(filled)
    make(filled.root / where)
    # Its name stays taken: the next record has the next number.
    registry = Registry(filled.root)
    assert check(registry) == before
    version = registry.register("dcgan", {"generator-ema": b"ema two", "generator": b"gen two"}, {"word": "two"})
    registry.alias(str(version), "champion")
    assert registry.resolve("dcgan") == version == registry.resolve("dcgan@champion")
    assert registry.faults() == []
    assert os.path.lexists(filled.root / where)


IN_THEIR_PLACE = [
    "models/other",
    "models/dcgan/aliases/canary",
    "models/dcgan/attachments/2",
    "models/dcgan/attachments/x",
]
NOTHING = ["models/dcgan/attachments/2", "models/dcgan/attachments/x", "models/dcgan/versions/x", "tmp/" + "0" * 32]


@pytest.mark.parametrize(
    ("make", "where"),
    [*product([file, pipe], IN_THEIR_PLACE), *product([dangling, loop], NOTHING)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_has_the_name_of_a_directory_or_of_nothing_is_passed_over(
    filled: Registry, check: Any, where: str, make: Callable[[Path], None]
) -> None:
    """A broken link in the place of a record or a directory is damage (``test_lost.py``)."""
    before = check(filled)
    make(filled.root / where)
    assert check(filled) == before
    assert filled.faults() == []
    assert filled.collect(grace=0) == []
    assert os.path.lexists(filled.root / where)


@pytest.mark.parametrize("make", [file, dangling], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("where", "write"),
    [
        ("models/other", lambda registry: registry.register("other", {}, {})),
        ("models/dcgan/aliases/canary", lambda registry: registry.alias("dcgan:1", "canary")),
        ("models/other/versions", lambda registry: registry.register("other", {}, {})),
    ],
    ids=["model", "alias", "versions"],
)
def test_what_is_in_the_way_of_a_write_is_named(
    filled: Registry, check: Any, where: str, write: Callable[[Registry], Any], make: Callable[[Path], None]
) -> None:
    before = check(filled)
    (filled.root / where).parent.mkdir(exist_ok=True)
    make(filled.root / where)
    words = "a file, not a directory" if make is file else "a link that leads nowhere"
    with pytest.raises(NotWritable, match=f"{filled.root / where} is {words}"):
        write(filled)
    if make is dangling:
        assert any(f"{filled.root / where} is {words}" in str(fault) for fault in filled.faults())
        (filled.root / where).unlink()
    assert check(filled) == before


@pytest.mark.parametrize("make", [file, dangling, loop, pipe, empty_directory], ids=lambda f: f.__name__)
def test_what_is_in_the_place_of_a_blob(filled: Registry, put: Any, check: Any, make: Callable[[Path], None]) -> None:
    """The content replaces it, but for a directory, in which there may be anything."""
    before, blob = check(filled), filled.path(filled.resolve("dcgan:1"), "generator")
    blob.unlink()
    make(blob)
    with pytest.raises(RegistryError, match=r"of dcgan:1 \(generator\) is (missing|damaged)"):
        filled.read(filled.resolve("dcgan:1"), "generator")
    if make is empty_directory:
        with pytest.raises(NotWritable, match=f"{blob} is a directory, not a file"):
            put("one")
        blob.rmdir()
    assert put("one").number == 1
    assert check(filled) == before


@pytest.mark.parametrize(
    ("where", "write"),
    [
        ("models/dcgan/versions", lambda registry: registry.register("dcgan", {}, {})),
        ("models/dcgan/aliases/champion", lambda registry: registry.alias("dcgan:2", "champion")),
    ],
    ids=["version", "alias"],
)
def test_after_the_last_number_there_is_none(
    filled: Registry, put: Any, where: str, write: Callable[[Registry], Any]
) -> None:
    put("two")
    (filled.root / where / "999999999").touch()
    for _ in range(2):
        with pytest.raises(RegistryError) as caught:
            filled.register("dcgan", {}, {}) if where.endswith("versions") else filled.alias("dcgan:2", "champion")
        assert str(caught.value) == f"{where}/999999999 has the last number that there is, so none is left for the next"
        assert caught.value.hint == f"if it is no record, move {where}/999999999 out of the registry"
    (filled.root / where / "999999999").unlink()
    write(filled)


def test_attachments_do_not_collide_with_strangers(filled: Registry) -> None:
    (filled.root / "models/dcgan/attachments/1/onnx-int8").mkdir()
    version = filled.resolve("dcgan:1")
    assert "onnx-int8" not in filled.kinds(version)
    with pytest.raises((Conflict, NotWritable)):
        filled.attach(version, "onnx", b"small", variant="int8")
    with pytest.raises(NotWritable, match="is a directory, not a file"):
        filled.attach(version, "onnx", b"small", variant="int8", force=True)


def test_a_relative_root_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    registry = Registry(Path("registry"))
    registry.register("dcgan", {}, {})
    monkeypatch.chdir("elsewhere")
    assert registry.names() == ["dcgan"]
    assert registry.register("dcgan", {}, {"seed": 2}).number == 2
    assert list(Path().iterdir()) == []


def test_a_working_directory_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert Registry(tmp_path).names() == []
    with pytest.raises(NotWritable, match="the working directory cannot be used: "):
        Registry(Path("registry"))
