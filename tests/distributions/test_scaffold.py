"""A plugin that is begun: what is written, and names and places that are refused."""

import ast
import tomllib
from pathlib import Path

import pytest

from ganzoo.distributions.scaffold import PARTS, begin, check_name, content
from ganzoo.errors import GanzooError, UsageError
from ganzoo.specs import KINDS
from ganzoo.zoo.installed import LONGEST_NAME


@pytest.mark.parametrize("kind", PARTS)
def test_every_kind_is_complete(kind: str) -> None:
    files = content("my-gan", kind)
    parts = {f"ganzoo_my_gan/{name}.py" for name in ("__init__", PARTS[kind]) if name}
    rest = {"pyproject.toml", "README.md", ".gitignore", ".github/workflows/tests.yml", "tests/test_conformance.py"}
    assert set(files) == parts | rest
    for path, text in files.items():
        assert "{{" not in text.replace("${{", ""), path
        assert text.endswith("\n")
        if path.endswith(".py"):
            ast.parse(text)
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["name"] == "ganzoo-my-gan"
    assert project["entry-points"]["ganzoo.v1"] == {"my-gan": "ganzoo_my_gan"}
    assert f"A {kind} for ganzoo" == project["description"]


@pytest.mark.parametrize("kind", PARTS)
def test_no_template_is_left_out(kind: str) -> None:
    templates = Path(str(begin.__globals__["__file__"])).with_name("templates")
    used = {"README.md", "__init__.py", *([f"{PARTS[kind]}.py"] if PARTS[kind] else [])}
    assert {path.name.removesuffix(".template") for path in (templates / kind).iterdir()} == used


def test_kinds_are_kinds_of_spec() -> None:
    assert set(PARTS) <= {kind.kind for kind in KINDS}


def test_it_is_written_whole_where_it_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert begin("my-gan", "model") == Path("ganzoo-my-gan")
    assert begin("other", "loss", Path("deep/er")) == Path("deep/er")
    for place, kind in (("ganzoo-my-gan", "model"), ("deep/er", "loss")):
        name = "my-gan" if kind == "model" else "other"
        written = {p.relative_to(place).as_posix(): p.read_text("utf-8") for p in Path(place).rglob("*") if p.is_file()}
        assert written == content(name, kind)
    assert Path("ganzoo-my-gan").stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize("there", ["directory", "file", "link"])
def test_what_is_there_is_left_as_it_is(tmp_path: Path, there: str) -> None:
    place = tmp_path / "place"
    if there == "directory":
        place.mkdir()
    elif there == "file":
        place.write_text("mine")
    else:
        place.symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match="is there already") as caught:
        begin("my-gan", "model", place)
    assert "--directory" in str(caught.value.hint)
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_is_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.name == "README.md":
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(GanzooError, match="the disk is full"):
        begin("my-gan", "model", tmp_path / "place")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("My_Gan", "for example: my-gan"),
        ("my gan", "for example: my-gan"),
        ("3gan", "for example: gan"),
        ("-gan", "for example: gan"),
        ("a--b", "for example: a-b"),
        ("", "for example: my-gan"),
        ("ünder", "for example: my-gan"),
        ("ganzoo-gan", "the name alone: gan"),
        ("penalty", "for example: my-penalty"),
        ("none", "for example: my-none"),
        ("true", "for example: my-true"),
        ("false", "for example: my-false"),
        ("a" * LONGEST_NAME, f"at most {LONGEST_NAME - len('ganzoo-')}"),
    ],
)
def test_bad_names(name: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(name)
    assert caught.value.hint == hint
