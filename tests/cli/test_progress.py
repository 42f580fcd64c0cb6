"""The bar of a training that goes back, and what is said while it is shown."""

import io
import re
from pathlib import Path

import pytest

from ganzoo.cli import progress
from ganzoo.cli.progress import CLEAR_LINE, Progress
from ganzoo.config import RunConfig
from ganzoo.records.run import Run


class Terminal(io.StringIO):
    """Takes colours and bars."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_the_bar_goes_back_with_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last step, too."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(progress, "REDRAW_SECONDS", -1.0)
    config = RunConfig(model="vanilla", architecture="v", loss="hinge", name="net", steps=8)
    facts = {"data": {"name": "digits", "count": 9, "digest": "sha256:0"}, "environment": {}, "parents": []}
    with Progress() as shown:
        shown.started(Run.create(tmp_path, config, facts), 0)
        for step in range(1, 9):
            shown.stepped(step)
        shown.noted("back to step 4")
        for step in range(5, 9):
            shown.stepped(step)
    text = terminal.getvalue()
    before, after = text.split(f"{CLEAR_LINE}Warning: back to step 4\n")
    positions = [[int(found) for found in re.findall(r"\] +(\d+)/8", part)] for part in (before, after)]
    assert sorted(set(positions[0])) == list(range(9))
    assert sorted(set(positions[1])) == [5, 6, 7, 8]
    assert all(part == sorted(part) for part in positions)
