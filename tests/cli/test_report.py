"""``ganzoo report``: what it prints, where it writes, and how it fails."""

import subprocess
import sys
from pathlib import Path

import pytest

from ganzoo.cli import main
from ganzoo.config import RunConfig
from ganzoo.records.run import Run

DATA = {"name": "digits", "count": 9, "digest": "sha256:0", "class_names": []}
FACTS = {"data": DATA, "environment": {}, "parents": []}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    run = Run.create(Path("runs"), RunConfig(model="vanilla", architecture="v", loss="hinge", name="net"), FACTS)
    run.log(50, {"loss_d": 1.0, "images_per_second": 9.0})
    return run


@pytest.mark.parametrize("reference", ["net/1", "last", "runs/net/1"])
def test_one_run_has_its_report_in_its_directory(run: Run, reference: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", reference]) == 0
    assert capsys.readouterr() == ("runs/net/1/report.html\n", "")
    assert "<h1>net/1</h1>" in Path("runs/net/1/report.html").read_text("utf-8")


def test_a_place_for_it(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    Path("elsewhere").symlink_to("runs")
    assert main(["report", "net/1", "--runs", "elsewhere", "-o", "mine.html"]) == 0
    assert capsys.readouterr().out == "mine.html\n"
    assert not Path("runs/net/1/report.html").exists()


def test_several_are_compared(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    Run.create(Path("runs"), run.config, FACTS)
    assert main(["report", "net/1", "net/2"]) == 0
    assert capsys.readouterr().out == "report.html\n"
    assert "2 runs and versions" in Path("report.html").read_text("utf-8")


def test_a_damaged_grid_is_a_warning(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for step in (1, 2):
        run.sample_path(step).write_bytes(b"no picture")
    assert main(["report", "last"]) == 0
    out, err = capsys.readouterr()
    assert out == "runs/net/1/report.html\n"
    assert err == (
        "Warning: the samples of runs/net/1 are not shown in motion: "
        "runs/net/1/samples/step-00000001.png cannot be read as a picture\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "missing argument"),
        (["net/2"], 3, "no run 'net/2' in runs"),
        (["wgan"], 3, "'wgan' is no run in runs, and no model 'wgan'"),
        (["net/1", "last"], 2, "each once"),
        (["net/1", "-o", "no/r.html"], 1, "does not exist"),
        (["net/1", "-o", "r.pdf"], 2, "a report is a page of HTML, and r.pdf ends in something else"),
    ],
)
def test_failures(run: Run, arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", *arguments]) == code
    out, err = capsys.readouterr()
    error, hint = err.splitlines()
    assert out == ""
    assert words in error
    assert hint.startswith("Hint: ")


def test_a_damaged_record_is_an_integrity_error(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (run.directory / "outcome.json").write_text("{")
    assert main(["report", "last"]) == 4
    assert "outcome.json cannot be read" in capsys.readouterr().err


def test_it_needs_no_torch(run: Run) -> None:
    code = (
        "import sys\nfrom ganzoo.cli import main\nassert main(['report', 'last']) == 0\n"
        "assert {'torch', 'onnxruntime', 'matplotlib', 'scipy'}.isdisjoint(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
