"""The bar of a training that goes back, and what is said while it is shown."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from terminal import terminal

import ganzoo
from ganzoo.config import RunConfig
from ganzoo.observer import Observer
from ganzoo.progress.meter import Meter
from ganzoo.progress.stderr import CLEAR_LINE
from ganzoo.progress.training import Progress
from ganzoo.records.run import Run


def test_the_bar_goes_back_with_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last step, too."""
    monkeypatch.setattr(Meter, "redraw_seconds", 0.0)
    monkeypatch.setenv("NO_COLOR", "1")
    config = RunConfig(model="vanilla", architecture="v", loss="hinge", name="net", steps=8)
    facts = {"data": {"name": "digits", "count": 9, "digest": "sha256:0"}, "environment": {}, "parents": []}
    with terminal(80) as made, Progress() as shown:
        shown.started(Run.create(tmp_path, config, facts), 0)
        for step in range(1, 9):
            shown.stepped(step)
        shown.noted("back to step 4")
        for step in range(5, 9):
            shown.stepped(step)
    before, after = made.text.split(f"{CLEAR_LINE}Warning: back to step 4\r\n")
    positions = [[int(found) for found in re.findall(r" (\d+)/8", part)] for part in (before, after)]
    assert sorted(set(positions[0])) == list(range(9))
    assert sorted(set(positions[1])) == [5, 6, 7, 8]
    assert all(part == sorted(part) for part in positions)


def train(home: Path, **how: Any) -> None:
    settings = {"steps": 2, "batch": 4, "options": {"width": 2, "latent_dim": 3}, "device": "cpu"}
    ganzoo.train("vanilla", settings=settings, registry=home / "registry", runs=home / "runs", export=False, **how)


class Notebook(io.StringIO):
    """The output of a cell."""


Notebook.__module__ = "ipykernel.iostream"


def test_a_call_shows_a_bar_once_in_a_terminal_and_in_a_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal(80) as made:
        train(tmp_path)
    assert len([line for line in made.lines() if line.startswith("training")]) == 1
    cell = Notebook()
    monkeypatch.setattr("sys.stderr", cell)
    train(tmp_path)
    assert re.search(r"\rtraining 100% .* 2/2 steps", cell.getvalue())
    assert "\x1b" not in cell.getvalue()


def test_a_call_shows_nothing_elsewhere_or_where_somebody_watches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path)
    assert capsys.readouterr() == ("", "")
    with terminal(80) as made:
        train(tmp_path, progress=False)
        train(tmp_path, observer=Observer())
    assert made.text == ""
