"""``ganzoo registry`` over a real registry."""

import json
from pathlib import Path
from typing import Any

import pytest

from ganzoo.cli import main
from ganzoo.cli.versions import listed
from ganzoo.records.catalogue import Entry
from ganzoo.records.trained import READ
from ganzoo_registry import Registry, Version
from ganzoo_registry.disk import Disk
from ganzoo_registry.shelf import Shelf


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three versions of ``net``, the second called ``champion``; one of ``other``."""
    registry = Registry(tmp_path / "registry")
    for number in (1, 2, 3):
        lineage = {"config": {"model": "net", "seed": number}, "classes": []}
        registry.register("net", {"generator": b"weights %d" % number}, lineage)
    registry.register("other", {"generator": b"weights"}, {})
    registry.alias("net:2", "champion")
    monkeypatch.delenv("GANZOO_REGISTRY", raising=False)
    return registry.root


def run(root: Path, *arguments: str) -> int:
    return main(["registry", *arguments, "--registry", str(root)])


def test_ls_shows_the_newest_of_each_model(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "ls") == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == (
        ["VERSION", "MODEL", "LOSS", "DATA", "PIXELS", "STEPS", "FD", "BYTES", "AGE", "ALIASES", "TAGS"]
    )
    assert [row.split()[0] for row in rows] == ["net:3", "other:1"]


def test_ls_of_one_model_shows_its_versions(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "ls", "net", "--json") == 0
    versions = json.loads(capsys.readouterr().out)
    assert [version["version"] for version in versions] == ["net:1", "net:2", "net:3"]
    assert [version["aliases"] for version in versions] == [[], ["champion"], []]


def test_the_environment_names_the_registry(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GANZOO_REGISTRY", str(root))
    assert main(["registry", "ls", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_an_empty_registry_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "none", "ls", "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == []
    assert "Train something: ganzoo train" in err
    assert not (tmp_path / "none").exists()


def test_show(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "show", "net@champion", "--json") == 0
    version = json.loads(capsys.readouterr().out)
    assert version["version"] == "net:2"
    assert version["kinds"]["generator"]["size"] == len(b"weights 2")
    assert version["lineage"]["config"] == {"model": "net", "seed": 2}
    assert run(root, "show", "net@champion") == 0
    words = capsys.readouterr().out.split()
    assert {"net:2", "champion", "generator", "config.seed"} <= set(words)


def test_alias_and_log(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "alias", "net", "champion", "--expect", "2") == 0
    assert capsys.readouterr() == ("", "net@champion is net:3.\n")
    assert Registry(root).aliases("net") == {"champion": 3}
    assert run(root, "log", "net") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].endswith("registered 1")
    assert lines[-1].endswith("champion: 2 -> 3")
    assert run(root, "log", "net", "--json") == 0
    last = json.loads(capsys.readouterr().out)[-1]
    assert (last["event"], last["alias"], last["previous"], last["version"]) == ("aliased", "champion", 2, 3)


def test_an_alias_is_taken_away(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "alias", "net", "champion", "--delete") == 0
    assert capsys.readouterr() == ("", "net@champion stands on no version now.\n")
    assert Registry(root).aliases("net") == {}
    assert run(root, "alias", "net", "champion", "--delete") == 3
    assert capsys.readouterr().err == (
        f"Error: alias 'champion' of 'net' stands on no version\nHint: ganzoo registry ls net --registry {root}\n"
    )


def test_a_lost_race_for_an_alias(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "alias", "net:3", "champion", "--expect", "1") == 1
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "Error: alias 'champion' of 'net' stands on 2, not on 1"
    assert hint == f"Hint: look at its moves with: ganzoo registry log net --registry {root}"
    assert Registry(root).aliases("net") == {"champion": 2}


def test_path(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "path", "net:1", "generator") == 0
    out = capsys.readouterr().out
    assert Path(out.removesuffix("\n")).read_bytes() == b"weights 1"


def test_rm(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "rm", "net:3") == 0
    assert capsys.readouterr() == ("", "Removed net:3.\n")
    assert [version.number for version in Registry(root).versions("net")] == [1, 2]


@pytest.mark.parametrize(("reference", "exact"), [("net", "net:3"), ("net@champion", "net:2")])
def test_rm_wants_an_exact_version(root: Path, reference: str, exact: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "rm", reference) == 2
    assert capsys.readouterr().err == (
        f"Error: rm wants one exact version\nHint: ganzoo registry rm {exact} --registry {root}\n"
    )
    assert len(Registry(root).versions("net")) == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["show", "nett"], 3),
        (["show", "net:9"], 3),
        (["show", "net@chmpion"], 3),
        (["show", "net:one"], 2),
        (["log", "nett"], 3),
        (["ls", "nett"], 3),
        (["path", "net", "onnx"], 3),
        (["alias", "net", "Not An Alias"], 2),
        (["rm", "net:9"], 3),
        (["rm", "net:2"], 1),
    ],
)
def test_bad_input(root: Path, arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, *arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    error, hint = err.splitlines()
    assert error.startswith("Error: ")
    assert hint.startswith("Hint: ")


def test_a_corrupted_blob(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "path", "net:1", "generator") == 0
    blob = Path(capsys.readouterr().out.strip())
    blob.chmod(0o644)
    blob.write_bytes(b"weights X")
    assert run(root, "path", "net:1", "generator") == 4
    error = capsys.readouterr().err.splitlines()[0]
    assert "net:1" in error
    assert blob.name[:12] in error


@pytest.mark.parametrize(
    ("record", "listed", "cure"),
    [
        ("versions/3", ["other:1"], "take it out: ganzoo registry rm net:3"),
        (
            "aliases/champion/1",
            ["net:3", "other:1"],
            "set the alias anew: ganzoo registry alias net:N champion",
        ),
    ],
)
def test_a_damaged_record_hides_nothing_else(
    root: Path, record: str, listed: list[str], cure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(root, f"models/net/{record}")
    assert run(root, "ls", "--json") == 4
    out, err = capsys.readouterr()
    assert [version["version"] for version in json.loads(out)] == listed
    place = f"models/net/{record}"
    hint = f"restore {place} from a copy of the registry, or {cure} --registry {root}"
    error = f"Error: the record {place} is damaged\nHint: {hint}\n"
    assert err == error
    whole = [1, 2] if record == "versions/3" else [1, 2, 3]
    for command in (["ls", "net"], ["ls", "net", "--sort"], ["log", "net"]):
        assert run(root, *command, "--json") == 4
        out, err = capsys.readouterr()
        rows = json.loads(out)
        if command[0] == "ls":
            assert sorted(row["number"] for row in rows) == whole
        else:
            assert [row["version"] for row in rows if row["event"] == "registered"] == whole
        assert error in err
    assert run(root, "show", "net:1", "--json") == (4 if record.startswith("aliases") else 0)
    assert json.loads(capsys.readouterr().out)["version"] == "net:1"


def spoil(root: Path, record: str) -> None:
    path = root / record
    path.chmod(0o644)
    path.write_bytes(b"{")


def test_damaged_records_are_replaced(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(root, "models/net/aliases/champion/1")
    spoil(root, "models/net/versions/3")
    assert run(root, "rm", "net") == 4  # which one is not said
    assert run(root, "alias", "net:2", "champion", "--expect", "2") == 4
    assert run(root, "rm", "net:3") == 0
    assert run(root, "alias", "net:1", "champion") == 0
    assert run(root, "rm", "net:2") == 0
    capsys.readouterr()
    assert run(root, "log", "net") == 0
    out, err = capsys.readouterr()
    assert [line.rpartition("  ")[2] for line in out.splitlines()[1:]] == [
        *("registered 1", "registered 2", "removed 3", "champion: ? -> 1", "removed 2"),
    ]
    assert err == ""


def test_show_goes_on_without_a_damaged_attachment(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry(root)
    version = registry.resolve("net:1")
    registry.attach(version, "onnx", b"graph")
    registry.attach(version, "eval", b"figures", variant="1")
    spoil(root, "models/net/attachments/1/onnx")
    assert run(root, "show", "net:1", "--json") == 4
    out, err = capsys.readouterr()
    assert sorted(json.loads(out)["kinds"]) == ["eval-1", "generator"]
    assert json.loads(out)["lineage"]["config"] == {"model": "net", "seed": 1}
    assert err.startswith("Error: the record models/net/attachments/1/onnx is damaged\n")
    assert run(root, "path", "net:1", "eval-1") == 0


@pytest.mark.parametrize("gone", ["the version", "the directory"])
def test_ls_goes_on_when_a_model_goes_meanwhile(
    root: Path, gone: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody removes the model after its name was listed, or after its newest version was."""
    registry = Registry(root)
    newest = registry.resolve("other")
    if gone == "the version":
        real = Shelf.newest

        def newest_of(shelf: Shelf) -> Any:
            if shelf.name == "other":
                registry.remove(newest)
            return real(shelf)

        monkeypatch.setattr(Shelf, "newest", newest_of)
    else:
        listed = Registry.newest

        def newest_versions(store: Registry, *told: Any) -> Any:
            found = listed(store, *told)
            (root / "models/other").rename(root / "elsewhere")
            return found

        monkeypatch.setattr(Registry, "newest", newest_versions)
    assert run(root, "ls", "--json") == 0
    out, err = capsys.readouterr()
    assert [version["version"] for version in json.loads(out)] == ["net:3"]
    assert err == ""


@pytest.mark.parametrize("versions", [3, 60])
def test_ls_reads_as_many_files_for_a_version_however_many_there_are(
    tmp_path: Path, versions: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(tmp_path / "registry")
    for seed in range(versions):
        registry.register("net", {}, {"seed": seed})
    for alias in ("champion", "challenger"):
        registry.alias("net:1", alias)
    reads, listings = count(monkeypatch)
    assert run(registry.root, "ls", "net", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == versions
    assert len(reads) == 5 * versions + 4  # pointer, manifest, lineage; what all share is read once
    assert len(listings) < 3 * versions + 10  # what was attached to each


@pytest.mark.parametrize("versions", [3, 60])
def test_registering_reads_as_many_files_however_many_versions_there_are(
    tmp_path: Path, versions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(tmp_path / "registry")
    for seed in range(versions):
        registry.register("net", {}, {"seed": seed})
    reads, listings = count(monkeypatch)
    assert registry.register("net", {}, {"seed": "new"}).number == versions + 1
    assert len(reads) <= 3
    assert len(listings) < 20


def count(monkeypatch: pytest.MonkeyPatch) -> tuple[list[Any], list[Any]]:
    """The files that are read and the directories that are listed from now on."""

    def counted(name: str) -> list[Any]:
        calls: list[Any] = []
        real = getattr(Disk, name)

        def call(self: Disk, *arguments: Any) -> Any:
            calls.append(arguments[0])
            return real(self, *arguments)

        monkeypatch.setattr(Disk, name, call)
        return calls

    return counted("read"), counted("_scan")


def test_nothing_but_damage_is_not_an_empty_registry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry(tmp_path / "registry")
    registry.register("net", {"generator": b"weights"}, {})
    path = registry.root / "models/net/versions/1"
    path.chmod(0o644)
    path.write_bytes(b"{")
    assert run(registry.root, "ls") == 4
    assert "Nothing is registered" not in capsys.readouterr().err


@pytest.mark.parametrize("variable", [False, True])
def test_a_registry_in_the_home_directory(
    root: Path, variable: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.setenv("GANZOO_REGISTRY", "~/registry" if variable else "~/none")
    assert main(["registry", "ls", "other", *([] if variable else ["--registry=~/registry"])]) == 0
    assert "other:1" in capsys.readouterr().out


def test_a_registry_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("not a directory")
    assert run(tmp_path / "file", "ls") == 1
    assert capsys.readouterr().err.startswith("Error: ")


def test_ls_says_what_tells_versions_apart(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lineage = {
        "config": {"model": "dcgan", "loss": "hinge"},
        "data": {"name": "photos"},
        "generator": {"height": 32, "width": 32, "channels": 3},
        "training": {"steps": 4000},
    }
    Registry(root).register("faces", {"generator": b"x" * 2500}, lineage)
    assert run(root, "ls", "faces") == 0
    row = capsys.readouterr().out.splitlines()[1].split()
    assert row == ["faces:1", "dcgan", "hinge", "photos", "32x32x3", "4,000", "2.5", "kB", "0", "s"]
    assert run(root, "ls", "faces", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["model"], entry["pixels"], entry["steps"], entry["size"]) == ("dcgan", "32x32x3", 4000, 2500)


@pytest.mark.parametrize("lineage", [{"config": 3}, {"config": {"model": ["x"]}, "training": {"steps": "many"}}, {}])
def test_ls_takes_any_lineage(root: Path, lineage: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    Registry(root).register("strange", {}, lineage)
    assert run(root, "ls", "strange") == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("strange:1")


@pytest.mark.parametrize(
    "lineage",
    [{}, {"config": {"model": "vanilla"}, "training": 3}, {part: {} for part in READ}, {part: [] for part in READ}],
    ids=["empty", "incomplete", "empty parts", "lists"],
)
@pytest.mark.parametrize(
    "command", [["export", "strange"], ["report", "strange"], ["train", "--init-from", "strange", "--dry-run"]], ids=str
)
def test_what_no_training_made_is_told(
    root: Path, lineage: dict[str, Any], command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Registry(root).register("strange", {}, lineage)
    assert main([*command, "--registry", str(root)]) == 2
    first, hint = capsys.readouterr().err.splitlines()
    assert first.startswith("Error: strange:1 was not made by ganzoo train: its record has no '")
    assert hint == f"Hint: see what it has: ganzoo registry show strange:1 --registry {root}"


def test_the_protocol_that_most_have_is_not_repeated() -> None:
    version = Version("net", 1, "sha256:0", "2026-01-01T00:00:00Z")
    entries = [
        Entry(version=version, figure="fd", value=1.0, protocol=protocol, size=1)
        for protocol in ("odd", "usual", "usual")
    ]
    rows = listed(entries).splitlines()[1:]
    assert ["(odd)" in row for row in rows] == [True, False, False]
    assert "(usual)" not in "".join(rows)


def test_versions_behind_a_damaged_one_are_seen_where_plugins_are_removed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from ganzoo.cli.install import _lineages

    newest = root / "models" / "net" / "versions" / "3"
    newest.chmod(0o600)
    newest.write_text("x")
    assert {"net:1", "net:2"} <= set(_lineages(root))
    assert "damaged" in capsys.readouterr().err


def test_all_versions_of_all_models(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "ls", "--all", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["version"] for row in rows] == ["net:1", "net:2", "net:3", "other:1"]
    assert run(root, "ls", "net", "--all") == 2
    assert capsys.readouterr().err == (
        f"Error: --all lists every model, and a NAME one of them\nHint: ganzoo registry ls net --registry {root}\n"
    )


def test_tags(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "tag", "net:1", "good", "tried") == run(root, "tag", "other", "good") == 0
    assert capsys.readouterr().err == "net:1 has the tags good, tried.\nother:1 has the tags good.\n"
    assert run(root, "ls", "--all", "--tag", "good", "--json") == 0
    assert [row["version"] for row in json.loads(capsys.readouterr().out)] == ["net:1", "other:1"]
    assert run(root, "tag", "net:1", "good", "--delete") == run(root, "tag", "net:1", "good", "--delete") == 0
    assert run(root, "tag", "net:1", "never", "--delete") == 0
    assert capsys.readouterr().err == 3 * "net:1 has the tags tried.\n"
    assert run(root, "tag", "net:1", "tried", "--delete") == 0
    assert capsys.readouterr().err == "net:1 has no tags.\n"
    assert run(root, "ls", "--tag", "good", "net") == 0
    tag_one = f"Tag one: ganzoo registry tag net:N good --registry {root}"
    assert capsys.readouterr().err == f"No version has the tag 'good'. {tag_one}\n"
    assert run(root, "show", "other", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["tags"] == ["good"]
    assert "tag-good" not in shown["kinds"]


@pytest.mark.parametrize("name", ["Good", "a.b", "a b", "", "x" * 70])
def test_what_can_be_no_tag(root: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "tag", "net:1", name) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error == (f"Error: {name!r} cannot be a tag" if name else "Error: TAG…: nothing is given")
    assert hint.startswith("Hint: use 1 to 64 of a-z, " if name else "Hint: ")


def test_a_damaged_tag_can_be_taken_away(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "tag", "net:1", "odd", "fine") == 0
    spoil(root, "models/net/attachments/1/tag-odd")
    assert run(root, "ls", "net") == 4
    capsys.readouterr()
    assert run(root, "tag", "net:1", "odd", "--delete") == 0
    assert capsys.readouterr().err == "net:1 has the tags fine.\n"


def test_a_note(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "note", "net:1", "better hands é") == 0
    assert run(root, "note", "net:1") == 0
    assert capsys.readouterr() == ("better hands é\n", "net:1 has a note now.\n")
    assert run(root, "show", "net:1") == 0
    assert "better hands é" in capsys.readouterr().out
    assert run(root, "note", "net:1", "--delete") == run(root, "note", "net:1") == 0
    assert capsys.readouterr() == ("\n", "net:1 has no note now.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["x" * 1001], "Error: a note has at most 1,000 characters, and this one 1,001"),
        (["x", "--delete"], "Error: --delete takes the note away, and TEXT writes one"),
        ([""], "Error: [TEXT]: nothing is given"),
    ],
)
def test_what_can_be_no_note(
    root: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, "note", "net:1", *arguments) == 2
    assert capsys.readouterr().err.splitlines()[0] == message


def test_gc_says_what_would_go_and_frees_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "gc") == 0
    assert capsys.readouterr() == ("Unused: 0 files, 0 B.\n", "")
    assert run(root, "rm", "net:3") == 0
    capsys.readouterr()
    assert run(root, "gc") == 0
    assert capsys.readouterr() == (
        "Unused: 0 files, 0 B.\n",
        "3 more were stored within 24 h; --grace 0s takes them, too.\n",
    )
    assert run(root, "gc", "--grace", "0s", "--json") == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["deleted"], len(found["files"])) == (False, 3)
    assert found["bytes"] == sum(blob["size"] for blob in found["files"]) > 0
    assert err == f"Next:\n  ganzoo registry gc --delete --grace 0s --registry {root}\n"
    assert run(root, "gc", "--grace", "0s", "--delete") == 0
    assert capsys.readouterr().out.startswith("Removed 3 files, ")
    assert run(root, "gc", "--grace", "0s") == 0
    assert capsys.readouterr().out == "Unused: 0 files, 0 B.\n"
    assert run(root, "path", "net:2", "generator") == 0


def test_gc_removes_nothing_while_a_record_is_damaged(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "rm", "net:3") == 0
    spoil(root, "models/net/aliases/champion/1")
    blobs = sorted((root / "blobs/sha256").iterdir())
    capsys.readouterr()
    assert run(root, "gc", "--grace", "0s", "--delete") == 4
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "Error: the record models/net/aliases/champion/1 is damaged"
    assert hint.startswith("Hint: restore ")
    assert sorted((root / "blobs/sha256").iterdir()) == blobs


def test_gc_wants_a_time(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "gc", "--grace", "soon") == 2
    assert "'soon' is not a time, such as 90s, 30m, 8h or 2d" in capsys.readouterr().err


def test_du(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry(root)
    registry.register("other", {"generator": b"weights", "critic": b"a critic"}, {"seed": 2})
    assert run(root, "du", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"what": "net", "bytes": 27, "own": 27},
        {"what": "other", "bytes": 15, "own": 15},
    ]
    assert run(root, "du", "other", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"what": "other:1", "bytes": 7, "own": 0},
        {"what": "other:2", "bytes": 15, "own": 8},
    ]
    assert run(root, "du") == 0
    assert capsys.readouterr().out == "MODEL  BYTES  OWN\nnet    27 B   27 B\nother  15 B   15 B\n"
    assert run(root, "du", "nothing") == 3


def test_diff(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry(root)
    registry.register("net", {}, {"config": {"model": "net", "seed": 7, "flip": True}, "data": {"name": "digits"}})
    assert run(root, "diff", "net:1", "net:4") == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "WHAT         net:1  net:4",
        "config.flip  -      true",
        "config.seed  1      7",
        "data.name    -      digits",
    ]
    assert err == ""
    assert run(root, "diff", "net:1", "net:1", "--json") == 0
    assert capsys.readouterr() == ("[]\n", "net:1 and net:1 do not differ in their records.\n")
    assert run(root, "diff", "net:1", "nothing") == 3


def test_what_a_version_comes_from_is_shown(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lists of objects: parents, plugins."""
    parents = [{"relation": "init-from", "name": "old", "digest": "sha256:1"}]
    Registry(root).register("net", {}, {"parents": parents, "plugins": [{"name": "vanilla", "version": "1"}, {}]})
    assert run(root, "show", "net:4") == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line.startswith("p"))
    assert lines["parents"] == "digest sha256:1, name old, relation init-from"
    assert lines["plugins"] == "name vanilla, version 1, -"


def test_show_prints_no_python(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lineage = {"config": {"flip": True, "name": "", "betas": [0.0, 0.9], "loss_options": {}, "rate": None, "lr": 1e-4}}
    Registry(root).register("net", {}, lineage)
    assert run(root, "show", "net:4") == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line.startswith("config.")]
    assert lines == [
        ["config.betas", "0, 0.9"],
        ["config.flip", "true"],
        ["config.loss_options", "-"],
        ["config.lr", "0.0001"],
        ["config.name", "-"],
        ["config.rate", "-"],
    ]
