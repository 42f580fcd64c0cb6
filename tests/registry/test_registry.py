import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ganzoo_registry
from ganzoo_registry import (
    Conflict,
    Corrupt,
    InvalidName,
    NotFound,
    NotWritable,
    Registry,
    RegistryError,
    records,
    shelf,
)

# What the digests of records are taken of.
POINTER = b'{"created":"2026-05-03T12:00:00.000000Z","manifest":"%s"}'
ATTACHED = b'{"digest":"sha256:%s","size":5}'
MOVE = b'{"at":"2026-05-03T12:00:00.000000Z","by":"ada","version":1}'


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_version_keeps_what_it_was_given(registry: Registry, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.write_bytes(b"discriminator")
    lineage = {"seed": 7, "classes": ["été"], "loss": 0.25, "parents": None}
    version = registry.register("dcgan", {"generator-ema": b"ema", "discriminator": weights}, lineage)
    assert (version.name, version.number, str(version)) == ("dcgan", 1, "dcgan:1")
    assert registry.read(version, "generator-ema") == b"ema"
    assert registry.path(version, "discriminator").read_bytes() == b"discriminator"
    assert registry.lineage(version) == lineage
    assert {kind: (info.digest, info.size) for kind, info in registry.kinds(version).items()} == {
        "generator-ema": ("sha256:" + sha(b"ema"), 3),
        "discriminator": ("sha256:" + sha(b"discriminator"), 13),
    }
    assert registry.names() == ["dcgan"]
    assert registry.versions("dcgan") == [version]


def test_the_files_are_those_of_the_design(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "now", lambda: "2026-05-03T12:00:00.000000Z")
    monkeypatch.setattr(shelf, "user", lambda: "ada")
    version = registry.register("dcgan", {"generator": b"gen"}, {"b": "é", "a": 1})
    registry.attach(version, "onnx", b"graph", variant="int8")
    registry.alias("dcgan", "champion")
    lineage = '{"a":1,"b":"é"}'.encode()
    manifest = (
        f'{{"format":1,"kinds":{{"generator":{{"digest":"sha256:{sha(b"gen")}","size":3}}}},'
        f'"lineage":"sha256:{sha(lineage)}"}}'
    ).encode()
    assert version.digest == "sha256:" + sha(manifest)
    assert files(registry.root) == {
        "oci-layout": b'{"ganzooRegistryFormat":1,"imageLayoutVersion":"1.0.0"}',
        f"blobs/sha256/{sha(b'gen')}": b"gen",
        f"blobs/sha256/{sha(b'graph')}": b"graph",
        f"blobs/sha256/{sha(lineage)}": lineage,
        f"blobs/sha256/{sha(manifest)}": manifest,
        "models/dcgan/versions/1": (
            f'{{"created":"2026-05-03T12:00:00.000000Z","manifest":"{version.digest}",'
            f'"sha256":"{sha(POINTER % version.digest.encode())}"}}'.encode()
        ),
        "models/dcgan/attachments/1/onnx-int8": (
            f'{{"digest":"sha256:{sha(b"graph")}",'
            f'"sha256":"{sha(ATTACHED % sha(b"graph").encode())}","size":5}}'.encode()
        ),
        "models/dcgan/aliases/champion/1": (
            f'{{"at":"2026-05-03T12:00:00.000000Z","by":"ada","sha256":"{sha(MOVE)}","version":1}}'.encode()
        ),
    }
    modes = {stat.S_IMODE(path.stat().st_mode) for path in registry.root.rglob("*") if path.is_file()}
    assert modes == {0o444}
    registry.register("dcgan", {"generator": b"gen 2"}, {})
    registry.alias("dcgan:2", "champion")
    registry.remove(version)
    tombstone = json.loads((registry.root / "models/dcgan/versions/1").read_bytes())
    assert len(tombstone.pop("sha256")) == 64
    assert tombstone == {
        "created": "2026-05-03T12:00:00.000000Z",
        "manifest": version.digest,
        "removed": "2026-05-03T12:00:00.000000Z",
        "by": "ada",
    }


def test_opening_and_reading_create_nothing(registry: Registry, tmp_path: Path) -> None:
    assert registry.names() == []
    for read in (registry.resolve, registry.versions, registry.aliases, registry.log):
        with pytest.raises(NotFound, match=r"no model 'dcgan' in the registry") as caught:
            read("dcgan")
        assert caught.value.hint == "it is empty; train something: ganzoo train --model wgan-gp"
        assert caught.value.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_registering_the_same_again_returns_the_version(registry: Registry, put: Any) -> None:
    first, second = put("one"), put("two")
    before = files(registry.root)
    assert put("one") == first
    assert put("two") == second
    assert files(registry.root) == before
    assert put("one", "another").number == 1
    registry.remove(first)
    assert put("one").number == 3


def test_numbers_are_never_used_twice(registry: Registry, put: Any) -> None:
    versions = [put(word) for word in ("one", "two", "three")]
    for version in versions:
        registry.remove(version)
    assert registry.names() == []
    assert registry.versions("dcgan") == []
    with pytest.raises(NotFound) as caught:
        registry.resolve("dcgan")
    assert str(caught.value) == "the version dcgan does not exist"
    assert caught.value.hint == "versions of 'dcgan' that exist: none"
    assert put("four").number == 4
    assert [v.number for v in registry.versions("dcgan")] == [4]


def test_references(registry: Registry, put: Any) -> None:
    first, second = put("one"), put("two")
    registry.alias("dcgan:1", "champion")
    assert registry.resolve("dcgan") == second
    assert registry.resolve("dcgan:1") == first
    assert registry.resolve("dcgan@champion") == first
    assert registry.resolve(f"dcgan@{first.digest}") == first
    registry.remove(second)
    assert registry.resolve("dcgan") == first


@pytest.mark.parametrize(
    ("reference", "message", "hint"),
    [
        ("dcgna", "no model 'dcgna' in the registry", "did you mean 'dcgan'?"),
        ("zzz:1", "no model 'zzz' in the registry", "choose one of: dcgan, wgan-gp"),
        ("dcgan:7", "the version dcgan:7 does not exist", "versions of 'dcgan' that exist: 1, 3"),
        ("dcgan:2", "the version dcgan:2 was removed on 20", "versions of 'dcgan' that exist: 1, 3"),
        ("dcgan@chmpion", "'dcgan' has no alias 'chmpion'", "did you mean 'champion'?"),
        (
            "wgan-gp@champion",
            "'wgan-gp' has no alias 'champion'",
            "set it with: ganzoo registry alias wgan-gp:N champion",
        ),
        ("dcgan@sha256:" + "0" * 64, "the version dcgan@sha256:000", "versions of 'dcgan' that exist: 1, 3"),
    ],
)
def test_what_is_not_there(registry: Registry, put: Any, reference: str, message: str, hint: str) -> None:
    _, second, _ = put("one"), put("two"), put("three")
    put("one", "wgan-gp")
    registry.alias("dcgan:1", "champion")
    registry.remove(second)
    with pytest.raises(NotFound) as caught:
        registry.resolve(reference)
    assert str(caught.value).startswith(message)
    assert caught.value.hint == hint
    assert caught.value.exit_code == 3


def test_a_long_list_of_versions_is_shortened(registry: Registry, put: Any) -> None:
    for word in range(12):
        put(str(word))
    with pytest.raises(NotFound) as caught:
        registry.resolve("dcgan:99")
    assert caught.value.hint == "versions of 'dcgan' that exist: 1, …, 5, 6, 7, 8, 9, 10, 11, 12"


def test_an_unknown_kind(registry: Registry, put: Any) -> None:
    version = put()
    registry.attach(version, "onnx", b"graph")
    for read in (registry.read, registry.path):
        with pytest.raises(NotFound, match=r"dcgan:1 has no 'onxn'") as caught:
            read(version, "onxn")
        assert caught.value.hint == "did you mean 'onnx'?"
        assert caught.value.exit_code == 3
    with pytest.raises(NotFound, match="has no"):
        registry.read(version, "../../versions/1")


def test_attachments(registry: Registry, put: Any, tmp_path: Path) -> None:
    version = put()
    graph = tmp_path / "graph"
    graph.write_bytes(b"graph")
    registry.attach(version, "onnx", graph)
    registry.attach(version, "onnx", b"small", variant="int8")
    assert set(registry.kinds(version)) == {"generator-ema", "generator", "onnx", "onnx-int8"}
    before = files(registry.root)
    registry.attach(version, "onnx", b"graph")
    with pytest.raises(Conflict) as caught:
        registry.attach(version, "onnx", b"other")
    assert str(caught.value) == "dcgan:1 has another onnx already"
    assert caught.value.hint == "replace it with --force"
    assert caught.value.exit_code == 1
    assert files(registry.root) == before
    registry.attach(version, "onnx", b"other", force=True)
    assert registry.read(version, "onnx") == b"other"
    with pytest.raises(Conflict, match="the generator of dcgan:1") as caught:
        registry.attach(version, "generator", b"other", force=True)
    registry.remove(version)
    with pytest.raises(NotFound, match="dcgan:1 was removed on") as missing:
        registry.attach(version, "eval", b"figures")
    assert missing.value.exit_code == 3


def test_an_attachment_that_comes_in_between(registry: Registry, put: Any, monkeypatch: Any) -> None:
    """The other writer wins after we looked and before we linked."""
    version, real, others = put(), registry._blobs.put, [b"theirs"]

    def slow(data: bytes) -> Any:
        if others:
            registry.attach(version, "onnx", others.pop())
        return real(data)

    monkeypatch.setattr(registry._blobs, "put", slow)
    with pytest.raises(Conflict, match="has another onnx already"):
        registry.attach(version, "onnx", b"ours")
    assert registry.read(version, "onnx") == b"theirs"


def test_the_history_of_an_alias(registry: Registry, put: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # The clock is put back after the second event; the order of what happened is not.
    times = iter([f"2026-05-0{day}T00:00:00.000000Z" for day in (4, 5, 1, 2, 3, 7, 8)])
    monkeypatch.setattr(shelf, "now", lambda: next(times))
    monkeypatch.setattr(shelf, "user", lambda: "ada")
    first = put("one")
    registry.alias("dcgan:1", "champion")
    second = put("two")
    registry.alias("dcgan:2", "champion")
    registry.alias("dcgan:1", "champion")
    registry.alias("dcgan:1", "champion")  # no move, no entry
    registry.alias("dcgan:1", "challenger")
    registry.remove(second)
    log = registry.log("dcgan")
    assert [(entry.when[:10], entry.what, entry.by) for entry in log] == [
        ("2026-05-04", "registered 1", None),
        ("2026-05-05", "registered 2", None),
        ("2026-05-05", "champion: none -> 1", "ada"),
        ("2026-05-05", "champion: 1 -> 2", "ada"),
        ("2026-05-05", "champion: 2 -> 1", "ada"),
        ("2026-05-07", "challenger: none -> 1", "ada"),
        ("2026-05-08", "removed 2", "ada"),
    ]
    assert registry.aliases("dcgan") == {"champion": 1, "challenger": 1}
    assert log[3].alias == "champion"
    assert (log[3].previous, log[3].number) == (1, 2)
    assert first.created == "2026-05-04T00:00:00.000000Z"


def test_compare_and_swap(registry: Registry, put: Any) -> None:
    put("one"), put("two")
    registry.alias("dcgan:1", "champion", expect=0)
    with pytest.raises(Conflict) as caught:
        registry.alias("dcgan:2", "champion", expect=0)
    assert str(caught.value) == "alias 'champion' of 'dcgan' stands on 1, not on none"
    assert caught.value.hint == "look at its moves with: ganzoo registry log dcgan"
    assert caught.value.exit_code == 1
    registry.alias("dcgan:2", "champion", expect=1)
    with pytest.raises(Conflict, match="stands on no version, not on 2"):
        registry.alias("dcgan:1", "challenger", expect=2)
    assert registry.aliases("dcgan") == {"champion": 2}
    with pytest.raises(InvalidName):
        registry.alias("dcgan:1", "2")


def test_a_version_with_an_alias_stays(registry: Registry, put: Any) -> None:
    version = put()
    registry.alias("dcgan:1", "champion")
    with pytest.raises(Conflict) as caught:
        registry.remove(version)
    assert str(caught.value) == "alias 'champion' stands on dcgan:1"
    assert caught.value.hint == "move it, or take it away: ganzoo registry alias dcgan champion --delete"
    assert caught.value.exit_code == 1
    put("two")
    registry.alias("dcgan:2", "champion")
    registry.remove(version)
    registry.remove(version)
    assert [entry.what for entry in registry.log("dcgan")].count("removed 1") == 1


def test_an_alias_is_taken_away(registry: Registry, put: Any) -> None:
    version = put()
    registry.alias("dcgan:1", "champion")
    with pytest.raises(Conflict, match="stands on 1, not on 2"):
        registry.unalias("dcgan", "champion", expect=2)
    registry.unalias("dcgan", "champion", expect=1)
    assert registry.aliases("dcgan") == {}
    assert registry.log("dcgan")[-1].what == "champion: 1 -> none"
    with pytest.raises(NotFound) as caught:
        registry.resolve("dcgan@champion")
    assert caught.value.hint == "set it with: ganzoo registry alias dcgan:N champion"
    for alias in ("champion", "other"):
        with pytest.raises(NotFound, match=f"alias '{alias}' of 'dcgan' stands on no version"):
            registry.unalias("dcgan", alias)
    registry.alias("dcgan:1", "champion", expect=0)
    assert registry.log("dcgan")[-1].what == "champion: none -> 1"
    registry.unalias("dcgan", "champion")
    registry.remove(version)


def test_an_alias_whose_record_is_damaged_is_taken_away(registry: Registry, put: Any) -> None:
    put()
    registry.alias("dcgan:1", "champion")
    path = registry.root / "models/dcgan/aliases/champion/1"
    path.unlink()
    path.write_text("{")
    registry.unalias("dcgan", "champion")
    assert registry.aliases("dcgan") == {}


@pytest.mark.parametrize("kind", ["generator-ema", "generator", "onnx"])
def test_every_flipped_bit_of_a_blob_is_found(registry: Registry, put: Any, kind: str) -> None:
    version = put()
    registry.attach(version, "onnx", b"graph")
    path = registry.path(version, kind)
    good, digest = path.read_bytes(), registry.kinds(version)[kind].digest
    path.chmod(0o644)
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bad)
        for read in (registry.read, registry.path):
            with pytest.raises(Corrupt) as caught:
                read(version, kind)
    assert str(caught.value) == f"blob {digest} of dcgan:1 ({kind}) is damaged: its bytes changed"
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(f"restore blobs/sha256/{digest[7:]} from a copy of the registry")
    assert caught.value.exit_code == 4


def test_damaged_manifests_and_lineages_are_named(registry: Registry, put: Any) -> None:
    version = put()
    manifest = json.loads((registry.root / "blobs/sha256" / version.digest[7:]).read_bytes())
    for digest, part, read in (
        (manifest["lineage"], "lineage", registry.lineage),
        (version.digest, "manifest", registry.kinds),
    ):
        path = registry.root / "blobs/sha256" / digest[7:]
        path.unlink()
        with pytest.raises(Corrupt, match=rf"blob {digest} of dcgan:1 \({part}\) is missing") as caught:
            read(version)
        assert caught.value.exit_code == 4


def test_the_same_content_heals_a_damaged_blob(registry: Registry, put: Any) -> None:
    version = put()
    for damage in (b"", b"ema onf"):
        path = registry.path(version, "generator-ema")
        path.unlink()
        path.write_bytes(damage)
        assert put() == version
        assert registry.read(version, "generator-ema") == b"ema one"
        assert list((registry.root / "tmp").iterdir()) == []


def test_a_version_that_points_to_no_manifest(registry: Registry, put: Any) -> None:
    version = put()
    path = registry.root / "models/dcgan/versions/1"
    path.chmod(0o644)
    path.write_text(json.dumps({"manifest": registry.kinds(version)["generator"].digest, "created": version.created}))
    with pytest.raises(Corrupt, match="dcgan:1 points to something else than a manifest"):
        registry.kinds(registry.resolve("dcgan"))


def test_a_read_only_registry_can_be_read(registry: Registry, put: Any, check: Any, with_system: Any) -> None:
    registry.attach(put(), "onnx", b"graph")
    registry.alias("dcgan", "champion")
    expected = check(registry)
    paths = [registry.root, *registry.root.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        # No attribute: whatever call would change something fails, also for root, whom modes do not stop.
        assert with_system(object(), lambda: check(Registry(registry.root))) == expected
    finally:
        for path in paths:
            path.chmod(path.stat().st_mode | 0o200)


@pytest.mark.parametrize("below", ["", "registry"])
def test_a_root_that_is_a_file(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    registry = Registry(file / below)
    for action in (registry.names, lambda: registry.register("dcgan", {"generator": b""}, {})):
        with pytest.raises(NotWritable) as caught:
            action()
        assert str(caught.value) == (f"cannot use the registry {registry.root}: {file} is a file, not a directory")
        assert caught.value.hint == "choose another place with --registry DIR or GANZOO_REGISTRY"
        assert caught.value.exit_code == 1
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("DCGAN", "generator"), ("../x", "generator"), ("dcgan", "Generator"), ("dcgan", "a/b")],
)
def test_bad_names_write_nothing(registry: Registry, name: str, kind: str) -> None:
    with pytest.raises(InvalidName, match="is not a") as caught:
        registry.register(name, {kind: b""}, {})
    assert caught.value.exit_code == 2
    assert not registry.root.exists()


def test_what_cannot_be_stored_writes_no_version(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="this cannot be stored as JSON") as caught:
        registry.register("dcgan", {"generator": b""}, {"loss": float("nan")})
    assert caught.value.exit_code == 1
    missing = tmp_path / "missing"
    with pytest.raises(RegistryError) as caught:
        registry.register("dcgan", {"generator": missing}, {})
    assert str(caught.value) == f"cannot read {missing}: No such file or directory"
    assert registry.names() == []
    assert list((registry.root / "tmp").iterdir()) == []


def test_files_are_streamed(registry: Registry, tmp_path: Path) -> None:
    """In a process of its own with 192 MiB of data, of which no more than a few are in memory at any time."""
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(192 << 20)
    code = (
        "import resource, sys, pathlib; from ganzoo_registry import Registry\n"
        "registry, big = Registry(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2])\n"
        "start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "version = registry.register('dcgan', {'generator': big}, {})\n"
        "registry.path(version, 'generator')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start)\n"
    )
    grown = subprocess.run(
        [sys.executable, "-c", code, registry.root, big],
        check=True,
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert int(grown.stdout) < 32 << 10  # KiB
    assert registry.kinds(registry.resolve("dcgan"))["generator"].size == 192 << 20


def test_the_package_stands_alone() -> None:
    code = "import sys, ganzoo_registry; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment()
    ).stdout.split()
    foreign = {name.split(".")[0] for name in loaded} - sys.stdlib_module_names - {"ganzoo_registry", "__main__"}
    assert not foreign & {"ganzoo", "ganzoo_plugins", "torch", "numpy", "click", "platformdirs"}


def test_content_holds_neither_time_nor_person_nor_place(registry: Registry, put: Any, tmp_path: Path) -> None:
    version = put()
    again = Registry(tmp_path / "elsewhere").register(
        "other",
        {kind: registry.read(version, kind) for kind in registry.kinds(version)},
        registry.lineage(version),
    )
    assert again.digest == version.digest


def test_an_unknown_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", unknown)
    assert records.user() == "unknown"


def environment() -> dict[str, str]:
    """So that a child finds the very package that is under test."""
    return {**os.environ, "PYTHONPATH": str(Path(ganzoo_registry.__file__).parents[1])}
