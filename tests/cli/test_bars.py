"""The bar that reading, packing and evaluating show on a terminal."""

import re
from pathlib import Path

import pytest
from terminal import Terminal, terminal

from ganzoo.cli import main
from ganzoo.errors import ExitCode
from ganzoo.progress.bars import ProgressBar, doing
from ganzoo.progress.meter import Meter
from ganzoo.progress.stderr import note, show


def shown(*calls: tuple[int, int], columns: int = 80) -> Terminal:
    with terminal(columns) as made, ProgressBar("reading", "images") as bar:
        for done, total in calls:
            bar(done, total)
    return made


def positions(made: Terminal) -> list[int]:
    return [int(found) for found in re.findall(r"reading +\d+% .*? (\d+)/", made.text)]


def test_it_moves_to_the_end_and_leaves_the_line() -> None:
    made = shown(*((done, 8) for done in range(1, 9)))
    assert positions(made)[-1] == 8
    assert positions(made) == sorted(positions(made))
    assert made.text.endswith("\r\n")
    assert len(made.lines()) == 1


def test_it_is_not_redrawn_for_every_image() -> None:
    made = shown(*((done, 100_000) for done in range(1, 100_000)))
    assert len(positions(made)) < 1000
    assert positions(made)[-1] == 99_999


def test_one_that_is_stopped_leaves_the_line() -> None:
    assert shown((3, 8)).text.endswith("\r\n")


def test_nothing_is_shown_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar("reading", "images") as bar:
        bar(1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("columns", [30, 60, 75, 80, 109, 110, 200])
def test_it_is_as_wide_as_the_terminal(columns: int) -> None:
    made = shown((1, 8), (3, 8), columns=columns)
    (line,) = made.lines(10 * columns)
    assert len(line) <= columns
    assert re.match(r"reading +38% .* 3/8", line)


def test_what_is_done_before_the_first_gives_way_to_a_note_and_to_the_bar() -> None:
    with terminal(80) as made, doing("loading"), ProgressBar("evaluating", "samples") as bar:
        note("the extractor is built first")
        show("loading")
        bar(1, 2)
        bar(2, 2)
    said, line = made.lines()
    assert said == "the extractor is built first"
    assert re.match(r"evaluating 100% .* 2/2", line)


def test_an_evaluation_says_that_it_loads(tmp_path: Path) -> None:
    with terminal(300) as made:
        assert main(["eval", "net", "--registry", str(tmp_path)]) == ExitCode.NOT_FOUND
    assert "loading …" in made.text
    assert [line.partition(":")[0] for line in made.lines()] == ["Error", "Hint"]


def test_of_what_cannot_be_counted_nothing_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal(80) as made, doing("exporting"):
        pass
    assert "exporting …" in made.text
    assert made.lines() == []
    with doing("exporting"):
        pass
    assert capsys.readouterr() == ("", "")


def test_what_does_not_fit_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Meter, "rate_shown", ", 1,234 images/s")
    monkeypatch.setattr(Meter, "figures", "  loss_d -12.345  loss_g 12.345")
    (narrow,), (middle,), (wide,) = (shown((3, 8), columns=columns).lines() for columns in (60, 80, 120))
    assert "loss_d" not in narrow
    assert "loss_g 12.345" in middle
    assert "images/s" not in middle
    assert wide.endswith("left, 1,234 images/s  loss_d -12.345  loss_g 12.345")
