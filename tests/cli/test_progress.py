"""The bar of a training that goes back, and what is said while it is shown."""

import re
from pathlib import Path

import pytest
from terminal import terminal

from ganzoo.cli.bars import CLEAR_LINE
from ganzoo.cli.meter import Meter
from ganzoo.cli.progress import Progress
from ganzoo.config import RunConfig
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
