"""``ganzoo registry`` over a real registry."""

import json
from pathlib import Path

import pytest

from ganzoo.cli import main
from ganzoo_registry import Registry


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
    assert header.split() == ["VERSION", "CREATED", "ALIASES", "DIGEST"]
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


def test_a_lost_race_for_an_alias(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root, "alias", "net:3", "champion", "--expect", "1") == 1
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "Error: alias 'champion' of 'net' stands on 2, not on 1"
    assert hint == "Hint: look at its moves with: ganzoo registry log net"
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
    assert capsys.readouterr().err == (f"Error: rm wants one exact version\nHint: ganzoo registry rm {exact}\n")
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


@pytest.mark.parametrize("record", ["versions/3", "aliases/champion/1"])
def test_a_damaged_record_hides_no_other_model(root: Path, record: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = root / "models" / "net" / record
    path.chmod(0o644)
    path.write_bytes(b"{")
    assert run(root, "ls", "--json") == 4
    out, err = capsys.readouterr()
    assert [version["version"] for version in json.loads(out)] == ["other:1"]
    place = f"models/net/{record}"
    assert err == f"Error: the record {place} is damaged\nHint: restore {place} from a copy of the registry\n"


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
