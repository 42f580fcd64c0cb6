"""Small records: every change of one is seen, what a newer ganzoo wrote is told from damage, old ones are read."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganzoo_registry import Corrupt, Newer, NotFound, Registry, RegistryError
from ganzoo_registry.documents import canonical

VERSION, MOVE, ATTACHED = "versions/1", "aliases/champion/1", "attachments/1/onnx"
RECORDS = (VERSION, MOVE, ATTACHED)


@pytest.fixture
def place(registry: Registry, put: Any) -> Path:
    """The directory of ``dcgan``, with each kind of record in it; version 2 was removed."""
    registry.attach(put("one"), "onnx", b"graph")
    registry.alias("dcgan:1", "champion")
    registry.remove(put("two"))
    return registry.root / "models" / "dcgan"


@pytest.fixture
def read(registry: Registry) -> Callable[[str], Any]:
    """Reads what a record says."""

    def read(record: str) -> Any:
        if record.startswith("versions"):
            return [entry for entry in registry.log("dcgan") if entry.event != "aliased"]
        if record == MOVE:
            return registry.resolve("dcgan@champion")
        return registry.kinds(registry.resolve("dcgan:1"))["onnx"]

    return read


def write(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def values(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def sealed(fields: dict[str, Any]) -> bytes:
    """A record as a ganzoo would write it whose fields are these."""
    fields = {key: value for key, value in fields.items() if key != "sha256"}
    return canonical({**fields, "sha256": hashlib.sha256(canonical(fields)).hexdigest()})


@pytest.mark.parametrize("record", [*RECORDS, "versions/2"])
def test_every_flipped_bit_of_a_record_is_seen(place: Path, read: Any, record: str) -> None:
    good, before = (place / record).read_bytes(), read(record)
    (place / record).chmod(0o644)
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        (place / record).write_bytes(bad)
        with pytest.raises(Corrupt, match=rf"(?m)^the record models/dcgan/{record} (is damaged$|has an unknown field)"):
            read(record)
    (place / record).write_bytes(good)
    assert read(record) == before


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"\xff",
        b'{"sha256":"%s"}' % hashlib.sha256(b"{}").hexdigest().encode(),
        b"[" * 50_000,
        b'{"by":"\\ud800"}',
        b'{"sha256":NaN}',
        b'{"sha256":' + b"9" * 5000 + b"}",
        b" " * 100_000,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_what_is_no_record_is_damage(place: Path, read: Any, record: str, data: bytes) -> None:
    write(place / record, data)
    with pytest.raises(Corrupt) as caught:
        read(record)
    assert str(caught.value) == f"the record models/dcgan/{record} is damaged"
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(f"restore models/dcgan/{record} from a copy of the registry, or ")
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("seal", [False, True])
@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        *((MOVE, "version", value) for value in (True, -1, 1.0, "1", None, [1], 10**9)),
        (MOVE, "at", "yesterday"),
        (MOVE, "at", "2026-05-03T12:00:00.000000Z\n"),
        (MOVE, "by", 7),
        (VERSION, "created", "2026-05-03"),
        (VERSION, "created", "\x1b[2J"),
        (VERSION, "manifest", "sha256:../../../../etc/passwd"),
        (VERSION, "manifest", ""),
        (VERSION, "removed", True),
        (ATTACHED, "digest", "../x"),
        (ATTACHED, "digest", "sha256:" + "G" * 64),
        (ATTACHED, "size", -1),
        (ATTACHED, "size", True),
    ],
    ids=repr,
)
def test_a_value_that_cannot_be_is_damage(
    place: Path, read: Any, record: str, field: str, value: Any, seal: bool
) -> None:
    """Also in a record without a digest, as earlier versions wrote them."""
    fields = {**values(place / record), field: value}
    del fields["sha256"]
    write(place / record, sealed(fields) if seal else canonical(fields))
    with pytest.raises(Corrupt, match=f"the record models/dcgan/{record} is damaged"):
        read(record)


def test_an_alias_that_stands_on_no_version_is_damage(registry: Registry, place: Path) -> None:
    fields = {**values(place / MOVE), "version": 99}
    del fields["sha256"]
    write(place / MOVE, canonical(fields))
    for look in (lambda: registry.resolve("dcgan@champion"), lambda: registry.aliases("dcgan")):
        with pytest.raises(Corrupt, match="stands on a version whose record models/dcgan/versions/99 is missing"):
            look()
    registry.alias("dcgan:1", "champion")
    assert registry.aliases("dcgan") == {"champion": 1}


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("spelling", ["bare", "indented", "with a byte order mark"])
def test_other_spellings_of_a_record_are_read(place: Path, read: Any, record: str, spelling: str) -> None:
    before, fields = read(record), values(place / record)
    if spelling == "bare":  # of an earlier version
        del fields["sha256"]
    mark = b"\xef\xbb\xbf" if spelling == "with a byte order mark" else b""
    write(place / record, mark + json.dumps(fields, indent=2 if spelling == "indented" else None).encode() + b"\r\n")
    assert read(record) == before


@pytest.mark.parametrize("record", RECORDS)
def test_a_field_of_a_newer_ganzoo_is_no_damage(registry: Registry, place: Path, read: Any, record: str) -> None:
    write(place / record, sealed({**values(place / record), "colour": "red"}))
    with pytest.raises(Newer) as caught:
        read(record)
    assert str(caught.value) == f"the record models/dcgan/{record} was written by a newer ganzoo"
    assert caught.value.hint == "pip install --upgrade ganzoo"
    assert caught.value.exit_code == 1


def test_what_a_newer_ganzoo_wrote_is_not_replaced(registry: Registry, place: Path) -> None:
    for record in (VERSION, MOVE):
        write(place / record, sealed({**values(place / record), "colour": "red"}))
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    third = registry.register("dcgan", {"generator": b"three"}, {})
    with pytest.raises(Newer):
        registry.alias(str(third), "champion")
    with pytest.raises(Newer):
        registry.discard("dcgan:1")
    with pytest.raises(Newer):  # the alias may stand on it
        registry.remove(third)
    assert {path: path.read_bytes() for path in before} == before


def test_an_unknown_field_without_a_digest_may_be_either(place: Path, read: Any) -> None:
    write(place / VERSION, json.dumps({**values(place / VERSION), "colour": "red"}).encode())
    with pytest.raises(Corrupt) as caught:
        read(VERSION)
    place_ = "models/dcgan/versions/1"
    assert str(caught.value) == (
        f"the record {place_} has an unknown field, 'colour': a newer ganzoo wrote it, or it was changed"
    )
    assert str(caught.value.hint).startswith(f"pip install --upgrade ganzoo, or restore {place_} from a copy")


@pytest.mark.parametrize(
    "manifest",
    [
        *(b"", b"[]", b"{}", b'{"format":0}', b'{"format":true,"kinds":{},"lineage":"x"}', b'{"format":1,"kinds":[]}'),
        *(b'{"format":1,"kinds":{"a":{"digest":"x","size":1}},"lineage":"x"}', b"[" * 50_000),
        *(b'{"format":1,"kinds":{},"lineage":%s}' % lineage for lineage in (b"5", b"null", b'"x"', b"[]")),
        *(b'{"format":1,"kinds":{"a":%s},"lineage":"x"}' % entry for entry in (b"5", b"null", b"[]", b"{}")),
    ],
)
def test_a_version_that_points_to_no_manifest(registry: Registry, put: Any, manifest: bytes) -> None:
    digest = put_blob(registry, manifest)
    write(registry.root / "models/dcgan/versions/1", sealed({"manifest": digest, "created": put("one").created}))
    for look in (registry.kinds, registry.lineage, lambda version: registry.read(version, "generator")):
        with pytest.raises(Corrupt, match="dcgan:1 points to something else than a manifest"):
            look(registry.resolve("dcgan"))


@pytest.mark.parametrize(
    "manifest",
    [
        *(b'{"format":2}', b'{"format":1,"kinds":{},"lineage":"x","signature":"y"}'),
        b'{"format":1,"kinds":{"a":{"digest":"x","size":1,"type":"y"}},"lineage":"x"}',
    ],
)
def test_a_manifest_of_a_newer_ganzoo(registry: Registry, put: Any, manifest: bytes) -> None:
    digest = put_blob(registry, manifest)
    write(registry.root / "models/dcgan/versions/1", sealed({"manifest": digest, "created": put("one").created}))
    with pytest.raises(Newer, match="dcgan:1 was registered by a newer ganzoo"):
        registry.kinds(registry.resolve("dcgan"))


def test_a_record_of_many_gigabytes_is_not_read(registry: Registry, place: Path, read: Any) -> None:
    write(place / MOVE, b"")
    os.truncate(place / MOVE, 60 << 30)
    with pytest.raises(Corrupt, match=f"models/dcgan/{MOVE} is damaged"):
        read(MOVE)
    layout = registry.root / "oci-layout"
    write(layout, b"")
    os.truncate(layout, 60 << 30)
    with pytest.raises(Corrupt, match="the record oci-layout"):
        registry.alias("dcgan:1", "other")


@pytest.mark.parametrize("kind", ["generator", "onnx"])
def test_a_blob_of_another_size_is_not_read(registry: Registry, place: Path, kind: str) -> None:
    version = registry.resolve("dcgan:1")
    for path in (registry.path(version, kind), registry.root / "blobs/sha256" / version.digest[7:]):
        path.chmod(0o644)
        os.truncate(path, 60 << 30)
        with pytest.raises(Corrupt, match="is damaged: its bytes changed"):
            registry.read(version, kind)


@pytest.mark.parametrize("data", [b"[]", b'"x"', b"[" * 50_000])
def test_a_lineage_that_is_none(registry: Registry, put: Any, data: bytes) -> None:
    version = put("one")
    manifest = canonical({"format": 1, "kinds": {}, "lineage": put_blob(registry, data)})
    digest = put_blob(registry, manifest)
    write(registry.root / "models/dcgan/versions/1", sealed({"manifest": digest, "created": version.created}))
    with pytest.raises(Corrupt, match=r"dcgan:1 \(lineage\) cannot be read: it is "):
        registry.lineage(registry.resolve("dcgan"))


def put_blob(registry: Registry, data: bytes) -> str:
    hexadecimal = hashlib.sha256(data).hexdigest()
    path = registry.root / "blobs" / "sha256" / hexadecimal
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return f"sha256:{hexadecimal}"


def test_the_records_of_the_first_versions_are_read(tmp_path: Path) -> None:
    """They have no digests, and new ones stand beside them."""
    shutil.copytree(Path(__file__).parents[1] / "formats" / "files" / "registry", tmp_path / "registry")
    registry = Registry(tmp_path / "registry")
    version = registry.resolve("old")
    assert set(registry.kinds(version)) >= {"generator-ema", "onnx", "eval-2c76ead0623f"}
    assert [registry.read(version, kind)[:0] for kind in registry.kinds(version)]
    registry.alias("old:1", "champion")
    assert registry.register("old", {"generator": b"new"}, {}).number == 2
    assert [entry.what for entry in registry.log("old")] == ["registered 1", "champion: none -> 1", "registered 2"]
    assert [str(fault) for fault in registry.faults()] == []
    registry.remove(registry.resolve("old:2"))
    with pytest.raises(NotFound):
        registry.resolve("old:2")


@pytest.mark.parametrize(
    ("lineage", "message"),
    [
        ({"config": {"options": {"clip": float("inf")}}}, "config.options.clip is inf"),
        ({"loss": float("nan")}, "loss is nan"),
        ({"data": {"class_names": ["a", "caf\udce9"]}}, r"data.class_names.1 is 'caf\\udce9'"),
        ({"extra": {"p": {1, 2}}}, "Object of type set is not JSON serializable"),
        ({"caf\udce9": 1}, ".*surrogates not allowed"),
    ],
    ids=repr,
)
def test_a_lineage_that_is_no_json_is_refused_by_its_place(
    registry: Registry, lineage: dict[str, Any], message: str
) -> None:
    with pytest.raises(RegistryError, match=f"(?m)^this cannot be stored as JSON: {message}$") as caught:
        registry.register("dcgan", {}, lineage)
    str(caught.value).encode()
    assert not registry.root.exists()


def test_a_lineage_that_could_not_be_read_again_is_refused(registry: Registry) -> None:
    deep: list[Any] = []
    for _ in range(50_000):
        deep = [deep]
    with pytest.raises(RegistryError, match="this cannot be stored as JSON: it is nested too deeply"):
        registry.register("dcgan", {}, {"extra": deep})
    while deep:  # else Python frees it by recursion
        deep = deep.pop()
