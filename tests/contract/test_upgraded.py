"""A plugin that is another version when its run goes on: said first, and refused where the state does not fit."""

import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ganzoo import api
from ganzoo.errors import NotFoundError
from ganzoo.observer import Observer
from ganzoo.zoo import names

SITE = Path(__file__).parent / "site"
SETTINGS = {"batch": 8, "device": "cpu", "precision": "fp32", "threads": 1, "steps": 4}
SAID = "the run was begun with tricks 1.0, and goes on with 2.0: it may compute something else from here on"


class Notes(Observer):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def noted(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture
def upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """``upgrade(old, new)``: the plugin, of which a copy was installed, as version 2.0 with a line changed."""
    site = tmp_path / "site"
    shutil.copytree(SITE, site, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two versions within a second

    def forget() -> None:
        importlib.invalidate_caches()
        names.zoo.cache_clear()
        for name in [name for name in sys.modules if name.partition(".")[0] == "tricks"]:
            del sys.modules[name]

    def change(old: str, new: str) -> None:
        (site / "tricks-1.0.dist-info").rename(site / "tricks-2.0.dist-info")
        metadata = site / "tricks-2.0.dist-info" / "METADATA"
        metadata.write_text(metadata.read_text().replace("1.0", "2.0"))
        module = site / "tricks" / "__init__.py"
        assert old in module.read_text()
        module.write_text(module.read_text().replace(old, new))
        forget()

    forget()
    yield change
    forget()


def begin(tmp_path: Path) -> str:
    made = api.train("lecam", settings=SETTINGS, registry=tmp_path / "r", runs=tmp_path / "runs", export=False)
    return str(made.run)


def test_it_is_said(tmp_path: Path, upgrade: Callable[[str, str], None]) -> None:
    run = begin(tmp_path)
    upgrade("decay: float = 0.9", "decay: float = 0.90")
    observer = Notes()
    result = api.train(
        resume=run,
        settings={"steps": 6},
        registry=tmp_path / "r",
        runs=tmp_path / "runs",
        export=False,
        observer=observer,
    )
    assert SAID in observer.notes
    plugins = {plugin["name"]: plugin["version"] for plugin in result_lineage(tmp_path, str(result.version))}
    assert plugins["tricks"] == "2.0"


def result_lineage(tmp_path: Path, version: str) -> list[dict[str, str]]:
    store = api.open_registry(tmp_path / "r")
    found: list[dict[str, str]] = store.lineage(store.resolve(version))["plugins"]
    return found


def test_a_state_that_was_not_there(tmp_path: Path, upgrade: Callable[[str, str], None]) -> None:
    run = begin(tmp_path)
    upgrade('state={"real": 0.0, "fake": 0.0}', 'state={"real": 0.0, "fake": 0.0, "third": 0.0}')
    observer = Notes()
    with pytest.raises(NotFoundError, match=r"(?m)has no usable checkpoint$"):
        api.train(
            resume=run,
            settings={"steps": 6},
            registry=tmp_path / "r",
            runs=tmp_path / "runs",
            export=False,
            observer=observer,
        )
    assert observer.notes[0] == SAID
    assert "state.third should be [], and is nothing" in observer.notes[1]
    assert Path(run, "checkpoints").is_dir()
