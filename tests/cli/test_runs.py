"""``ganzoo runs``: what is listed, shown and removed."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from terminal import terminal

from ganzoo.cli import main
from ganzoo.cli.output import amount, span
from ganzoo.config import RunConfig
from ganzoo.records.outcome import Outcome
from ganzoo.records.run import Run

DATA = {"name": "digits", "count": 9, "digest": "sha256:0", "class_names": []}
FACTS = {"data": DATA, "environment": {}, "parents": []}

Make = Callable[..., Run]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """``make(name, state, step)``: a run of 20 steps that ended so."""
    monkeypatch.chdir(tmp_path)

    def made(name: str = "net", state: str = "finished", step: int = 20) -> Run:
        config = RunConfig(model="vanilla", architecture="v", loss="hinge", name=name, steps=20)
        run = Run.create(Path("runs"), config, FACTS)
        run.log(step, {"loss_d": 1.0, "images_per_second": 9.0, "seconds": 125.0})
        run.checkpoint_path(step).write_bytes(bytes(1000))
        if state != "broken off":
            versions = {"last": f"{name}:2", "best": f"{name}:1"} if state == "finished" else {}
            reason = "" if state == "finished" else "no room"
            run.record_outcome(Outcome(state=state, step=step, reason=reason, versions=versions))  # type: ignore[arg-type]
        return run

    return made


def rows(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    assert main(["runs", "ls"]) == 0
    return [re.split(r" {2,}", line) for line in capsys.readouterr().out.splitlines()]


def test_each_run_is_listed_the_newest_first(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = make(), make("other", "broken off", 5)
    second.record_evaluation(3, "p", {"fd": 9.5, "kid": 1.0})
    second.record_evaluation(5, "p", {"fd": 12.25, "kid": 1.0})
    header, other, net = rows(capsys)
    assert header == ["RUN", "MODEL", "LOSS", "DATA", "STATE", "STEPS", "TIME", "BEST", "DISK", "VERSION"]
    assert other[:8] == ["other/1", "vanilla", "hinge", "digits", "broken off", "5 of 20", "2 min", "fd 9.5"]
    assert net[:7] == ["net/1", "vanilla", "hinge", "digits", "finished", "20", "2 min"]
    assert net[-1] == "net:1, net:2"
    assert first.directory != second.directory


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_list_fits(make: Make, columns: int) -> None:
    make()
    make("a-rather-long-name-of-a-run", "failed", 5)
    with terminal(columns) as made:
        assert main(["runs", "ls"]) == 0
    assert made.wraps() == []
    assert {"RUN", "STATE", "VERSION"} <= set(made.lines()[0].split())


def test_one_that_is_damaged_hides_no_other(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    make()
    (make("bad").directory / "run.json").write_text("{")
    assert {row[0]: row[4] if row[0] != "bad/1" else row[1] for row in rows(capsys)[1:]} == {
        "net/1": "finished",
        "bad/1": "unreadable",
    }


def test_one_that_is_damaged_is_shown_and_removed(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    (make().directory / "run.json").write_text("{")
    assert main(["runs", "show", "net"]) == 0
    assert "unreadable" in capsys.readouterr().out
    assert main(["runs", "rm", "net", "net/1"]) == 0  # which is one
    assert not Path("runs/net").exists()


def test_nothing_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["runs", "ls"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("RUN ")
    assert err == "There is no run in runs. Train something: ganzoo train --model wgan-gp\n"


def test_one_is_shown(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    make(state="stopped", step=7)
    assert main(["runs", "show", "net"]) == 0
    out, err = capsys.readouterr()
    shown = dict(re.split(r" {2,}", line, maxsplit=1) for line in out.splitlines())
    assert shown["steps"] == "7 of 20"
    assert shown["because"] == "no room"
    assert shown["on disk"].endswith("1 kB of it checkpoints")
    assert err == "Next:\n  ganzoo train --resume runs/net/1\n"


def test_json_has_numbers(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    make()
    assert main(["runs", "ls", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["step"], found["steps"], found["seconds"]) == (20, 20, 125.0)
    assert found["versions"] == {"last": "net:2", "best": "net:1"}


@pytest.mark.parametrize("reference", ["net", "net/2", "last", "runs/net/2"])
def test_a_run_has_many_names(make: Make, reference: str, capsys: pytest.CaptureFixture[str]) -> None:
    make()
    make()
    assert main(["runs", "show", reference, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "net/2"


def test_removing_says_what_it_frees(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = make(), make()
    size = sum(path.stat().st_size for path in one.directory.rglob("*") if path.is_file())
    assert main(["runs", "rm", "net/1"]) == 0
    assert capsys.readouterr().err == f"Removed runs/net/1: {amount(size)}.\n"
    assert not one.directory.exists()
    assert other.directory.exists()
    assert main(["runs", "rm", "net"]) == 0
    assert not Path("runs/net").exists()


def test_checkpoints_alone_can_be_removed(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    run = make()
    assert main(["runs", "rm", "--checkpoints", "net/1"]) == 0
    assert capsys.readouterr().err == "Removed the checkpoints of runs/net/1: 1 kB.\n"
    assert run.metrics_log.exists()
    assert run.checkpoints() == []


@pytest.mark.parametrize("reference", ["photos", "runs/../photos", "."])
def test_a_folder_that_has_a_configuration_is_no_run(
    reference: str, make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``config.toml`` is what people call a file for ``--config``, too."""
    make()
    place = Path("photos")
    place.mkdir()
    (place / "config.toml").write_text("steps = 20")
    if reference == ".":
        monkeypatch.chdir(place)
    assert main(["runs", "rm", reference]) == 2
    assert capsys.readouterr().err == (
        f"Error: {reference} is no run: it has a config.toml, and nothing else of one\n"
        "Hint: ganzoo runs ls lists the runs\n"
    )
    assert Path("config.toml" if reference == "." else "photos/config.toml").exists()


def test_a_run_is_not_removed_around_whoever_works_in_it(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make()
    monkeypatch.chdir(run.directory / "samples")
    assert main(["runs", "rm", ".."]) == 2
    assert capsys.readouterr().err == "Error: the working directory lies in ..\nHint: leave it first: cd ..\n"


def test_what_is_gone_already_is_no_error(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is a run that is named twice."""
    run, other = make(), make()
    for freed in ("1 kB", "0 B"):
        assert main(["runs", "rm", "--checkpoints", "net/1"]) == 0
        assert capsys.readouterr().err == f"Removed the checkpoints of runs/net/1: {freed}.\n"
    assert main(["runs", "rm", "net/1", str(run.directory.resolve()), "net/2"]) == 0
    assert not other.directory.exists()
    assert not Path("runs/net").exists()


def test_one_that_is_being_trained_stays(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    idle, busy = make(), make("busy")
    with busy.locked():
        assert main(["runs", "rm", "net", "busy"]) == 2
        assert "training" in {row[4] for row in rows(capsys)[1:]}
    assert idle.directory.exists()
    assert busy.directory.exists()


def test_what_is_being_trained_is_said(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    run = make()
    with run.locked():
        assert main(["runs", "rm", "net/1"]) == 2
    assert capsys.readouterr().err == (
        "Error: runs/net/1 is being trained\nHint: stop it first: Ctrl-C, or kill its process\n"
    )


def test_a_report_is_opened(make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    make()
    opened: list[str] = []
    monkeypatch.setattr("click.launch", opened.append)
    assert main(["runs", "open", "net"]) == 0
    path = capsys.readouterr().out.strip()
    assert opened == [path]
    assert os.path.samefile(path, "runs/net/1/report.html")


@pytest.mark.parametrize("name", ["nte", "x" * 5000])
def test_what_there_is_none_of(name: str, make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    make()
    for command in ("show", "rm", "open"):
        assert main(["runs", command, name]) == 3
        assert capsys.readouterr().err == (
            f"Error: no run '{name}'\nHint: ganzoo runs ls lists them; or give a run's directory\n"
        )


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_700, "1 MB"),
        (4_321_000, "4.32 MB"),
        (999_999_999, "1 GB"),
        (7e9, "7 GB"),
        (5e14, "500 TB"),
        (5e15, "5,000 TB"),
    ],
)
def test_amounts(size: float, text: str) -> None:
    assert amount(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.4, "3 s"), (125, "2 min"), (5_990, "1 h 40 min"), (7_500, "2 h 5 min")]
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text
