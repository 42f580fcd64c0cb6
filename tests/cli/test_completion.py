"""What a shell is told when somebody presses the tabulator, asked as a shell asks."""

import os
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from ganzoo.cli import cli
from ganzoo_registry import Registry


@pytest.fixture(autouse=True)
def _registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(tmp_path / "registry")
    for seed in range(2):
        registry.register("faces", {}, {"seed": seed})
    registry.register("digits", {}, {})
    registry.alias("faces:1", "champion")
    monkeypatch.setenv("GANZOO_REGISTRY", str(registry.root))
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs/faces/3"
    run.mkdir(parents=True)
    (run / "config.toml").touch()


def completed(*words: str) -> list[str]:
    *before, begun = words
    found = BashComplete(cli, {}, "ganzoo", "_GANZOO_COMPLETE").get_completions(before, begun)
    return [item.value for item in found]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("train", "--model", "wgan-gp"), ["wgan-gp", "wgan-gp-resnet"]),
        (("models", "show", "big"), ["biggan"]),
        (("train", "--resume", "f"), ["faces/3"]),
        (("train", "--resume", "l"), ["last"]),
        (("train", "--init-from", "f"), ["faces"]),
        (("sample", ""), ["digits", "faces"]),
        (("sample", "faces:"), ["faces:1", "faces:2"]),
        (("eval", "faces", "faces@"), ["faces@champion"]),
        (("serve", "di"), ["digits"]),
        (("export", "nothing"), []),
        (("registry", "show", "fac"), ["faces"]),
        (("registry", "log", ""), ["digits", "faces"]),
        (("registry", "gr"), []),
        (("runs", "show", "faces"), ["faces/3"]),
    ],
)
def test_names_are_completed(words: tuple[str, ...], found: list[str]) -> None:
    assert completed(*words) == found


def test_the_registry_that_is_typed_is_looked_into(tmp_path: Path) -> None:
    Registry(tmp_path / "other").register("cats", {}, {})
    assert completed("sample", "--registry", str(tmp_path / "other"), "") == ["cats"]


def test_where_nothing_can_be_read_nothing_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "registry/models/faces/versions/1").write_text("?")
    assert completed("sample", "faces:") == ["faces:2"]
    monkeypatch.setenv("GANZOO_REGISTRY", os.devnull)
    assert completed("sample", "") == []
    assert capsys.readouterr() == ("", "")
