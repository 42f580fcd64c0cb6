"""A damaged record harms itself alone, is named, and can be replaced; a registry of another format is left alone."""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganzoo_registry import Conflict, Corrupt, Newer, NotWritable, Registry, RegistryError, Version, disk
from ganzoo_registry.documents import canonical

Put = Callable[..., Version]


def spoil(registry: Registry, record: str, data: bytes = b"{") -> None:
    path = registry.root / record
    path.unlink(missing_ok=True)
    path.write_bytes(data)


@pytest.fixture
def filled(registry: Registry, put: Put) -> Registry:
    """Three versions; ``champion`` has stood on each of them, ``canary`` on the first."""
    for number, word in enumerate(("one", "two", "three"), 1):
        registry.attach(put(word), "onnx", word.encode())
        registry.attach(registry.resolve(f"dcgan:{number}"), "eval", b"figures", variant="1")
        registry.alias(f"dcgan:{number}", "champion")
    registry.alias("dcgan:1", "canary")
    put("one", "other")
    return registry


def everything(registry: Registry) -> tuple[dict[str, Any], list[str]]:
    """What all listings show, and what they tell of."""
    told: list[str] = []

    def tell(error: RegistryError) -> None:
        told.append(str(error))

    shown = {
        "names": registry.names(),
        "newest": [str(version) for version in registry.newest(tell)],
        "versions": [version.number for version in registry.versions("dcgan", tell)],
        "aliases": registry.aliases("dcgan", tell),
        "log": [entry.what for entry in registry.log("dcgan", tell)],
    }
    return shown, told


WHOLE: dict[str, Any] = {
    "names": ["dcgan", "other"],
    "newest": ["dcgan:3", "other:1"],
    "versions": [1, 2, 3],
    "aliases": {"champion": 3, "canary": 1},
    "log": [
        *("registered 1", "champion: none -> 1", "registered 2", "champion: 1 -> 2"),
        *("registered 3", "champion: 2 -> 3", "canary: none -> 1"),
    ],
}


@pytest.mark.parametrize("data", [b"", b"{", b'{"version":true}'])
@pytest.mark.parametrize(
    ("record", "missing"),
    [
        ("versions/1", {"versions": [2, 3], "log": ["registered 1"]}),
        ("versions/3", {"versions": [1, 2], "newest": ["other:1"], "log": ["registered 3"]}),
        ("aliases/champion/3", {"aliases": {"canary": 1}, "log": ["champion: 2 -> 3"]}),
        ("aliases/canary/1", {"aliases": {"champion": 3}, "log": ["canary: none -> 1"]}),
        ("attachments/1/onnx", {}),
    ],
)
def test_listings_go_on_and_name_what_is_damaged(
    filled: Registry, record: str, missing: dict[str, Any], data: bytes
) -> None:
    assert everything(filled) == (WHOLE, [])
    spoil(filled, f"models/dcgan/{record}", data)
    shown, told = everything(filled)
    gone = missing.pop("log", []) if (missing := dict(missing)) else []
    assert shown == {**WHOLE, **missing, "log": [what for what in WHOLE["log"] if what not in gone]}
    assert len({*told}) == (0 if record.startswith("attachments") else 1)
    assert [str(fault).split(" is ")[0].split(" has ")[0] for fault in filled.faults()] == [
        f"the record models/dcgan/{record}"
    ]
    for number in {1, 2, 3} - {int(record[-1])} if record.startswith("versions") else {1, 2, 3}:
        version = filled.resolve(f"dcgan:{number}")
        assert filled.read(version, "generator") == f"gen {('one', 'two', 'three')[number - 1]}".encode()
        assert {"onnx", "eval-1"} <= set(filled.kinds(version))
        assert filled.read(version, "eval-1") == b"figures"


def test_a_damaged_former_move_leaves_a_gap_in_the_log(filled: Registry) -> None:
    spoil(filled, "models/dcgan/aliases/champion/2")
    shown, told = everything(filled)
    assert shown["log"][-3:] == ["registered 3", "champion: ? -> 3", "canary: none -> 1"]
    assert [entry.previous for entry in filled.log("dcgan", lambda _: None) if entry.gap] == [None]
    assert shown["aliases"] == WHOLE["aliases"]
    assert told == ["the record models/dcgan/aliases/champion/2 is damaged"]


@pytest.mark.parametrize("number", [2, 3])
def test_a_damaged_alias_is_set_anew(filled: Registry, number: int) -> None:
    spoil(filled, "models/dcgan/aliases/champion/3")
    with pytest.raises(Corrupt) as caught:
        filled.resolve("dcgan@champion")
    assert str(caught.value.hint).endswith(", or set the alias anew: ganzoo registry alias dcgan:N champion")
    with pytest.raises(Corrupt):  # nobody knows whether it stands there
        filled.alias(f"dcgan:{number}", "champion", expect=3)
    filled.alias(f"dcgan:{number}", "champion")
    assert filled.resolve("dcgan@champion").number == number
    shown, told = everything(filled)
    assert shown["log"][-1] == f"champion: ? -> {number}"
    assert told == []
    assert filled.faults() == []


def test_a_damaged_version_is_taken_out(filled: Registry, put: Put) -> None:
    spoil(filled, "models/dcgan/versions/3")
    with pytest.raises(Corrupt) as caught:
        filled.resolve("dcgan")
    assert str(caught.value.hint).endswith(", or take it out: ganzoo registry rm dcgan:3")
    with pytest.raises(Conflict, match="alias 'champion' stands on dcgan:3"):
        filled.discard("dcgan:3")
    filled.alias("dcgan:2", "champion")
    filled.discard("dcgan:3")
    assert filled.resolve("dcgan").number == 2
    assert filled.faults() == []
    assert [entry.what for entry in filled.log("dcgan")][-1] == "removed 3"
    assert put("three").number == 4  # the number stays taken
    with pytest.raises(Conflict, match="the record of dcgan:1 is whole"):
        filled.discard("dcgan:1")
    with pytest.raises(Conflict, match="the record of dcgan:3 is whole"):
        filled.discard("dcgan:3")


def test_a_damaged_alias_keeps_no_version_from_being_removed(filled: Registry) -> None:
    spoil(filled, "models/dcgan/aliases/champion/3")
    filled.remove(filled.resolve("dcgan:2"))
    assert [version.number for version in filled.versions("dcgan")] == [1, 3]


def test_a_damaged_attachment_is_attached_again(filled: Registry) -> None:
    spoil(filled, "models/dcgan/attachments/1/onnx")
    version = filled.resolve("dcgan:1")
    with pytest.raises(Corrupt) as caught:
        filled.read(version, "onnx")
    assert str(caught.value.hint).endswith(", or move it out of the registry, and make it anew")
    filled.attach(version, "onnx", b"one", force=True)
    assert filled.read(version, "onnx") == b"one"


def test_a_damaged_version_does_not_stop_the_next(filled: Registry, put: Put) -> None:
    spoil(filled, "models/dcgan/versions/2")
    assert put("four").number == 4
    assert put("one").number == 1
    assert put("two").number == 5  # it cannot be known that it was there


def test_what_a_digest_means_is_found_beside_damage(filled: Registry) -> None:
    digest = filled.resolve("dcgan:3").digest
    spoil(filled, "models/dcgan/versions/1")
    assert filled.resolve(f"dcgan@{digest}").number == 3
    with pytest.raises(RegistryError) as caught:
        filled.resolve("dcgan:9")
    assert caught.value.hint == "versions of 'dcgan' that exist: 2, 3"


WRITES: dict[str, Callable[[Registry], Any]] = {
    "prepare": lambda registry: registry.prepare("dcgan"),
    "register": lambda registry: registry.register("dcgan", {"generator": b"new"}, {}),
    "register the first": lambda registry: registry.register("new", {"generator": b"new"}, {}),
    "register again": lambda registry: registry.register(
        "dcgan", {"generator-ema": b"ema one", "generator": b"gen one"}, registry.lineage(registry.resolve("dcgan:1"))
    ),
    "attach": lambda registry: registry.attach(registry.resolve("dcgan:1"), "new", b"new"),
    "attach --force": lambda registry: registry.attach(registry.resolve("dcgan:1"), "onnx", b"new", force=True),
    "alias": lambda registry: registry.alias("dcgan:1", "champion"),
    "remove": lambda registry: registry.remove(registry.resolve("dcgan:2")),
    "discard": lambda registry: registry.discard("dcgan:3"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize(
    ("layout", "error", "hint"),
    [
        ('{"ganzooRegistryFormat":2,"imageLayoutVersion":"1.0.0"}', Newer, "pip install --upgrade ganzoo"),
        ('{"ganzooRegistryFormat":2}', Newer, "pip install --upgrade ganzoo"),
        ('{"imageLayoutVersion":"1.0.0"}', RegistryError, "choose another place with --registry DIR"),
        ('{"ganzooRegistryFormat":true}', Corrupt, "restore oci-layout from a copy of the registry; its content is {"),
        ("", Corrupt, "restore oci-layout from a copy of the registry; its content is {"),
        ("[" * 50_000, Corrupt, "restore oci-layout from a copy of the registry; its content is {"),
        (Path.mkdir, RegistryError, "move it away, or choose another place"),
        (os.mkfifo, RegistryError, "move it away, or choose another place"),
        (lambda path: path.symlink_to("gone"), RegistryError, "move it away, or choose another place"),
    ],
    ids=["newer", "newer and other", "not ours", "wrong type", "empty", "deep", "directory", "pipe", "dangling link"],
)
def test_a_registry_of_another_format_is_written_to_by_nothing(
    filled: Registry,
    kit: Any,
    layout: str | Callable[[Path], None],
    error: type[RegistryError],
    hint: str,
    write: Callable[[Registry], Any],
) -> None:
    if write is WRITES["discard"]:
        filled.alias("dcgan:1", "champion")
        spoil(filled, "models/dcgan/versions/3")
    if isinstance(layout, str):
        spoil(filled, "oci-layout", layout.encode())
    else:
        (filled.root / "oci-layout").unlink()
        layout(filled.root / "oci-layout")
    before = kit.tree(filled.root)
    with pytest.raises(error) as caught:
        write(filled)
    assert str(caught.value.hint).startswith(hint)
    assert str(filled.root) in str(caught.value)
    assert kit.tree(filled.root) == before
    assert filled.resolve("dcgan:1").number == 1  # reading goes on
    assert str(caught.value) in map(str, filled.faults())


def test_the_layout_may_be_spelled_otherwise(filled: Registry, put: Put) -> None:
    spoil(
        filled,
        "oci-layout",
        b'\xef\xbb\xbf{\r\n "imageLayoutVersion": "1.0.0",\r\n "ganzooRegistryFormat": 1}\r\n',
    )
    assert filled.faults() == []
    assert put("four").number == 4


def test_no_flipped_bit_of_the_layout_asks_for_an_upgrade_alone(filled: Registry) -> None:
    """A changed digit is a newer format; anything else is damage, or does not matter."""
    good = (filled.root / "oci-layout").read_bytes()
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        spoil(filled, "oci-layout", bytes(bad))
        digit = chr(bad[good.index(b":1,") + 1])
        for fault in filled.faults():
            assert isinstance(fault, Newer if digit in "359" else Corrupt), bad
    spoil(filled, "oci-layout", good)
    assert filled.faults() == []


def test_a_lost_layout_is_written_again(filled: Registry, put: Put) -> None:
    good = (filled.root / "oci-layout").read_bytes()
    (filled.root / "oci-layout").unlink()
    filled.alias("dcgan:1", "champion")
    assert (filled.root / "oci-layout").read_bytes() == good


def test_leftovers_of_a_day_ago_go_at_the_next_write(filled: Registry) -> None:
    tmp = filled.root / "tmp"
    now = filled.root.stat().st_mtime
    ages = {"0": 25 * 3600, "1": 23 * 3600, "2": 0, "3": -30 * 24 * 3600, "4": 400 * 24 * 3600}
    for digit, age in ages.items():
        (tmp / (digit * 32)).write_bytes(b"half of a blob")
        os.utime(tmp / (digit * 32), (now - age, now - age))
    for stranger in ("0" * 31, "notes.txt", "." + "0" * 32):
        (tmp / stranger).write_bytes(b"")
        os.utime(tmp / stranger, (0, 0))
    (tmp / ("5" * 32)).symlink_to(tmp / ("0" * 32))
    filled.alias("dcgan:1", "champion")
    assert {path.name[0] for path in tmp.iterdir() if len(path.name) == 32} == {"1", "2", "3", "5"}
    assert {"0" * 31, "notes.txt", "." + "0" * 32} <= {path.name for path in tmp.iterdir()}


def test_a_leftover_that_cannot_be_removed_is_in_nobodys_way(filled: Registry, with_system: Any, kit: Any) -> None:
    path = filled.root / "tmp" / ("0" * 32)
    path.touch()
    os.utime(path, (0, 0))

    class Sticky(kit.Memory):  # type: ignore[misc]
        @staticmethod
        def unlink(target: Any) -> None:
            if Path(target) == path:
                raise PermissionError
            os.unlink(target)

    with_system(Sticky(), lambda: filled.alias("dcgan:1", "champion"))
    assert filled.resolve("dcgan@champion").number == 1


def test_a_version_of_a_newer_ganzoo_does_not_stop_the_next(filled: Registry, put: Put) -> None:
    values = json.loads((filled.root / "models/dcgan/versions/3").read_text()) | {"about": "tomorrow"}
    del values["sha256"]
    seal = hashlib.sha256(canonical(values)).hexdigest()
    spoil(filled, "models/dcgan/versions/3", canonical(values | {"sha256": seal}))
    assert put("four").number == 4
    with pytest.raises(Newer):
        filled.resolve("dcgan:3")


@pytest.mark.parametrize("data", [None, b"{"])
def test_a_manifest_that_cannot_be_read_is_a_fault(filled: Registry, data: bytes | None) -> None:
    assert filled.faults() == []
    blob = filled.root / "blobs/sha256" / filled.resolve("dcgan:2").digest.removeprefix("sha256:")
    blob.unlink()
    if data:
        blob.write_bytes(data)
    (fault,) = filled.faults()
    assert "dcgan:2 (manifest) is " in str(fault)
    assert fault.hint


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_directories_that_cannot_be_synced_are_left_at_that(
    registry: Registry, put: Put, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on some file systems of networks; files are synced there, and must be."""

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(disk.system, "fsync", fsync)
    assert put("one").number == 1
    monkeypatch.setattr(disk.system, "fsync", lambda descriptor: fsync(os.open(registry.root, os.O_RDONLY)))
    with pytest.raises(NotWritable):
        put("two")
