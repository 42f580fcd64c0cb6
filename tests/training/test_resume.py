"""Resuming: the run that was never interrupted, to the bit, or a refusal that says why."""

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ganzoo
from ganzoo.cli import main
from ganzoo.config import ExecutorName
from ganzoo.data import load
from ganzoo.errors import ExitCode, GanzooError, UsageError
from ganzoo.observer import Observer
from ganzoo.pipeline import environment
from ganzoo.pipeline.lineage import CLOCKED
from ganzoo.pipeline.resuming import refuse_changes
from ganzoo.records.outcome import Outcome
from ganzoo.records.result import TrainResult
from ganzoo.records.run import Run
from ganzoo.zoo.names import zoo

Train = Callable[..., TrainResult]

EVERY_10 = {"report_every": 10, "checkpoint_every": 10}


def checkpoints(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Run.find(str(run), run).checkpoints()}


def metrics(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in CLOCKED} for line in lines]


def test_40_steps_are_20_and_20(model: str, train: Train) -> None:
    """In the precision that auto chooses: weights, average, Adam's state, reports, and so the version."""
    whole = train(model, steps=40, schedule="constant", **EVERY_10)
    half = train(model, steps=20, schedule="constant", **EVERY_10)
    assert half.version != whole.version
    resumed = train(model, resume=str(half.run), steps=40)
    assert resumed.run == half.run != whole.run
    assert checkpoints(resumed.run) == checkpoints(whole.run)
    assert metrics(resumed.run) == metrics(whole.run)
    assert [line["step"] for line in metrics(resumed.run)] == [10, 20, 30, 40]
    # The same record and the same weights are the same version: registering them again finds it.
    assert resumed.version == whole.version


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_in_either_precision(train: Train, precision: str) -> None:
    whole = train("dcgan", steps=6, precision=precision)
    half = train("dcgan", steps=3, precision=precision)
    assert checkpoints(train("", resume=str(half.run), steps=6).run).items() >= checkpoints(whole.run).items()


def test_a_crash_between_two_checkpoints(train: Train) -> None:
    """What was reported and saved after the newest whole checkpoint is done again."""
    whole = train("vanilla", steps=30, **EVERY_10)
    crashed = train("vanilla", steps=30, **EVERY_10)
    last = crashed.run / "checkpoints" / "step-00000030.safetensors"
    last.unlink()
    with (crashed.run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 31, "loss_')
    resumed = train("", resume=str(crashed.run))
    assert checkpoints(resumed.run) == checkpoints(whole.run)
    assert metrics(resumed.run) == metrics(whole.run)


def test_resuming_what_is_finished_says_so_and_changes_nothing(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a full disk at registration: the same version, with the same figures."""
    noted: list[str] = []
    monkeypatch.setattr(Observer, "noted", lambda self, message: noted.append(message))
    first = train("vanilla", steps=4)
    assert noted == []
    again = train("", resume=str(first.run))
    assert noted == ["the run is finished: all of its 4 steps are done; --steps takes more"]
    assert again.version == first.version
    assert again.metrics == first.metrics


@pytest.fixture
def run(train: Train) -> Path:
    """A vanilla run of 20 steps with checkpoints at 10 and 20."""
    directory: Path = train("vanilla", steps=20, **EVERY_10).run
    return directory


def resume(run: Path, *arguments: str) -> int:
    return main(["train", "--resume", str(run), "--runs", str(run.parents[1]), "--no-export", *arguments])


def test_by_name_and_number_and_last(run: Path, train: Train) -> None:
    runs = str(run.parents[1])
    assert Run.find("vanilla/1", Path(runs)).directory == run
    assert Run.find("last", Path(runs)).directory == run
    other = train("dcgan", steps=1).run
    assert Run.find("last", Path(runs)).directory == other


@pytest.mark.parametrize(
    ("arguments", "change"),
    [
        (["--batch", "16"], "batch: 8 -> 16"),
        (["--seed", "5"], "seed: 0 -> 5"),
        (["--set", "loss=hinge"], "loss: non-saturating -> hinge"),
        (["--set", "generator.lr=0.5"], "generator.lr: 0.0002 -> 0.5"),
        (["--set", "critic_steps=2"], "critic_steps: 1 -> 2"),
        (["--set", "penalties.r1.weight=1"], "penalties.r1.every: None -> 1; penalties.r1.weight: None -> 1.0"),
        (["--set", "options.width=16"], "options.width: 8 -> 16"),
        (["--name", "other"], "name: vanilla -> other"),
    ],
)
def test_a_change_of_what_it_computes_is_refused(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], change: str
) -> None:
    before = checkpoints(run)
    assert resume(run, "--steps", "30", *arguments) == ExitCode.USAGE
    assert capsys.readouterr().err == (
        f"Error: a resumed run keeps its configuration; this would change {change}\n"
        "Hint: --resume may change steps, logging and paths; for anything else start a run with --init-from\n"
    )
    assert checkpoints(run) == before
    assert len(metrics(run)) == 2


def test_several_changes_are_all_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert resume(run, "--batch", "16", "--seed", "5") == ExitCode.USAGE
    assert "would change batch: 8 -> 16; seed: 0 -> 5\n" in capsys.readouterr().err


def test_steps_and_reporting_may_change(run: Path) -> None:
    reporting = ["--set", "report_every=5", "--set", "preview_every=6", "--set", "checkpoint_every=4"]
    assert resume(run, "--steps", "30", *reporting) == 0
    assert [line["step"] for line in metrics(run)] == [10, 20, 25, 30]
    assert list(checkpoints(run)) == [f"step-{step:08d}.safetensors" for step in (24, 28, 30)]
    assert [path.stem for path in sorted((run / "samples").iterdir())] == ["step-00000024", "step-00000030"]
    config = Run.find(str(run), run).config
    assert (config.steps, config.report_every) == (30, 5)


def test_fewer_steps_than_it_has(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert resume(run, "--steps", "15") == ExitCode.USAGE
    assert capsys.readouterr().err == f"Error: {run} has 20 steps already\nHint: --steps must be at least 20\n"


def test_a_truncated_checkpoint_is_passed_over_with_a_warning(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = checkpoints(run)
    newest = run / "checkpoints" / "step-00000020.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1000])
    assert resume(run) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Warning: ")]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"Warning: checkpoint {newest} is damaged: ")
    assert warnings[0].endswith("; trying the one before")
    assert checkpoints(run) == before


def test_no_whole_checkpoint(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (run / "checkpoints").iterdir():
        path.write_bytes(b"")
    assert resume(run) == ExitCode.NOT_FOUND
    last_two = capsys.readouterr().err.splitlines()[-2:]
    assert last_two == [
        f"Error: {run} has no usable checkpoint",
        f"Hint: start it anew: ganzoo train --config {run / 'config.toml'}",
    ]


def test_the_hint_works(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The recorded configuration trains the same again."""
    config = ["--config", str(run / "config.toml"), "--runs", str(run.parents[1]), "--no-export"]
    assert main(["train", *config]) == 0
    assert checkpoints(run.parent / "2") == checkpoints(run)


def test_a_run_that_does_not_exist(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", "--runs", str(tmp_path / "none"), "--resume"]
    assert main([*arguments, "vanilla/7"]) == ExitCode.NOT_FOUND
    assert "vanilla/7" in capsys.readouterr().err
    assert main([*arguments, "last"]) == ExitCode.NOT_FOUND
    assert capsys.readouterr().err.startswith(f"Error: no run in {tmp_path / 'none'}\nHint: start one: ganzoo train")


def test_resume_and_init_from_exclude_each_other(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert resume(run, "--init-from", "vanilla") == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("Error: --resume and --init-from exclude each other\n")


def noise(path: Path, seed: int) -> str:
    np.save(path, np.random.default_rng(seed).integers(0, 256, (32, 8, 8), np.uint8))
    return str(path)


def test_other_data_of_the_same_shape(train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = noise(tmp_path / "data.npy", 1)
    run = train("vanilla", steps=4, data=data).run
    noise(tmp_path / "data.npy", 2)
    assert resume(run, "--steps", "6") == ExitCode.USAGE
    error = capsys.readouterr().err
    assert error.startswith(f"Error: {data} is not what {run} was trained on: sha256:")
    assert "\nHint: start a new run on it, with --init-from to keep the weights\n" in error
    assert len(checkpoints(run)) == 1


def test_the_same_data_elsewhere(train: Train, tmp_path: Path) -> None:
    whole = train("vanilla", steps=6, data=noise(tmp_path / "data.npy", 1))
    half = train("vanilla", steps=3, data=str(tmp_path / "data.npy"))
    moved = shutil.move(tmp_path / "data.npy", tmp_path / "moved.npy")
    assert resume(half.run, "--steps", "6", "--data", str(moved)) == 0
    assert checkpoints(half.run).items() >= checkpoints(whole.run).items()


def test_a_resumed_run_leaves_the_very_version(train: Train) -> None:
    """Wherever it was cut: metrics too are those of the undisturbed run, so it is the same version."""
    whole = train("vanilla", steps=10, seed=4)
    train("vanilla", steps=3, seed=4)
    resumed = train("vanilla", resume="last", steps=10)
    assert resumed.version == whole.version
    metrics = {name: value for name, value in whole.metrics.items() if name not in CLOCKED}
    assert metrics == {name: value for name, value in resumed.metrics.items() if name not in CLOCKED}


def test_a_run_is_trained_by_one_process_at_a_time(train: Train) -> None:
    run = train("vanilla", steps=3).run
    with Run.find(str(run), run.parents[1]).locked(), pytest.raises(GanzooError, match="another process is training"):
        train("vanilla", resume=str(run), steps=5)
    assert train("vanilla", resume=str(run), steps=5).version.number == 2


def test_another_gpu_or_executor_is_no_other_training(run: Path) -> None:
    """As on several GPUs instead of one; but another kind of device is."""
    on_gpu = Run.find(str(run), run.parents[1])
    on_gpu.config = replace(on_gpu.config, device="cuda:0", executor=ExecutorName.CUDAGRAPH)
    images = load(on_gpu.config.data, zoo(), size=on_gpu.config.size, held_out=on_gpu.config.held_out).training
    refuse_changes(on_gpu, replace(on_gpu.config, device="cuda", executor=ExecutorName.EAGER), images)
    refuse_changes(on_gpu, replace(on_gpu.config, device="cuda:1"), images)
    with pytest.raises(UsageError, match=r"(?m)this would change device: cuda:0 -> cpu$"):
        refuse_changes(on_gpu, replace(on_gpu.config, device="cpu"), images)


@pytest.fixture
def launched(train: Train, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """``launched("name", restarts=1, **settings)``: what torchrun starts under that name; which run it trained."""

    def start(name: str, restarts: int = 0, **settings: object) -> str:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", name)
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", str(restarts))
        return train("vanilla", **{"steps": 2, **settings}).run.name

    return start


def leave_unfinished(runs: Path, number: str) -> None:
    Run.find(f"vanilla/{number}", runs).record_outcome(Outcome(state="failed", step=2))


def test_a_launch_goes_on_with_what_it_began(launched: Callable[..., str], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert launched("a") == "1"
    assert launched("a", restarts=1) == "1"  # which a rank was lost at the very end of
    assert launched("a") == "2"  # a launch of the same name when that had finished
    leave_unfinished(runs, "1")
    assert launched("a") == "1"  # torchrun does not count what it starts again because a host came or went
    assert launched("b") == "3"
    leave_unfinished(runs, "3")
    assert launched("b", restarts=1, seed=5) == "4"  # it died before it made its run: another was of that name
    assert launched("b", restarts=1, threads=2) == "3"


def test_a_launch_without_a_name_is_told_by_its_parent(launched: Callable[..., str], tmp_path: Path) -> None:
    assert launched("none") == "1"
    leave_unfinished(tmp_path / "runs", "1")
    assert launched("none") == "2"
    leave_unfinished(tmp_path / "runs", "1")
    assert launched("none", restarts=1) in "12"
    assert launched("", restarts=1) == "3"


def test_a_launch_does_not_mind_what_else_is_in_its_runs(launched: Callable[..., str], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert launched("a") == "1"
    facts = (runs / "vanilla/1/run.json").read_bytes()
    broken = {"7": (b"{", b""), "8": (b"[]", b""), "9": (facts, b"steps = "), "10": (facts, b"sizes = 7")}
    for number, (described, config) in broken.items():
        (runs / "vanilla" / number).mkdir()
        (runs / "vanilla" / number / "run.json").write_bytes(described)
        (runs / "vanilla" / number / "config.toml").write_bytes(config)
    assert [found.directory.name for found in Run.launched("a", runs)] == ["1"]
    (runs / "vanilla/1/outcome.json").write_text("?")
    assert launched("a", restarts=1) == "1"


def test_a_launch_outside_torchrun_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert (environment.launch(), environment.named()) == ("", False)


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "stopped"])
@pytest.mark.parametrize("folder", [True, False], ids=["an empty folder", "no folder"])
def test_a_run_whose_checkpoints_are_gone_keeps_its_records(
    train: Train, capsys: pytest.CaptureFixture[str], finished: bool, folder: bool
) -> None:
    """To begin anew over them would lose what it took hours to record."""
    run = train("vanilla", steps=20, report_every=10, preview_every=10).run
    shutil.rmtree(run / "checkpoints")
    if folder:
        (run / "checkpoints").mkdir()
    if not finished:
        (run / "outcome.json").unlink()
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["train", "--resume", str(run), "--steps", "50", "--no-export"]) == ExitCode.NOT_FOUND
    said = "it is finished, and its" if finished else "it has 20 steps on record, and their"
    assert capsys.readouterr().err.startswith(f"Error: {run} cannot go on: {said} checkpoints are gone\nHint: start it")
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


LEFT: dict[str, Callable[[Path], object]] = {
    "evaluations": lambda run: (run / "evaluations.jsonl").write_text('{"step": 4, "protocol": "k", "figures": {}}\n'),
    "events": lambda run: (run / "events.jsonl").write_text('{"step": 4, "kind": "collapse", "message": "alike"}\n'),
    "lines of a newer ganzoo": lambda run: (run / "metrics.jsonl").write_text('{"step": 4, "device": "cpu"}\n'),
    "lines that are damaged": lambda run: (run / "metrics.jsonl").write_text("{{\n"),
    "a grid": lambda run: (run / "samples" / "step-00000004.png").write_bytes(b"png"),
    "the last grid": lambda run: (run / "samples.png").write_bytes(b"png"),
}


@pytest.mark.parametrize("left", LEFT)
def test_whatever_is_on_record_is_not_begun_anew(train: Train, capsys: pytest.CaptureFixture[str], left: str) -> None:
    run = train("vanilla", steps=4).run
    shutil.rmtree(run / "samples")
    for path in [*run.glob("checkpoints/*"), *run.glob("*.jsonl"), *run.glob("*.png"), run / "outcome.json"]:
        path.unlink(missing_ok=True)
    (run / "samples").mkdir()
    LEFT[left](run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["train", "--resume", str(run), "--no-export"]) == ExitCode.NOT_FOUND
    assert "checkpoints are gone" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("newest", ["gone", "damaged"])
def test_fewer_steps_than_are_on_record(train: Train, capsys: pytest.CaptureFixture[str], newest: str) -> None:
    """The records after the last step would be dropped, and would not come again."""
    run = train("vanilla", steps=20, report_every=5, checkpoint_every=10).run
    path = run / "checkpoints" / "step-00000020.safetensors"
    path.unlink() if newest == "gone" else path.write_bytes(b"")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["train", "--resume", str(run), "--steps", "15", "--no-export"]) == ExitCode.USAGE
    assert "has 20 steps already\nHint: --steps must be at least 20\n" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_that_another_process_trained_meanwhile(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was read before that, so what the other one recorded would be dropped."""
    run, locked = train("vanilla", steps=10, report_every=5).run, Run.locked

    def late(self: Run) -> AbstractContextManager[None]:
        monkeypatch.setattr(Run, "locked", locked)
        ganzoo.train(resume=str(run), settings={"steps": 20}, export=False)
        return locked(self)

    monkeypatch.setattr(Run, "locked", late)
    with pytest.raises(GanzooError, match="another process has trained"):
        ganzoo.train(resume=str(run), settings={"steps": 15}, export=False)
    assert [report["step"] for report in Run.find(str(run), run).reports()] == [5, 10, 15, 20]


@pytest.mark.parametrize("name", ["step-00000010 copy", "step-mine", "best-mine", "best-00000010.old"])
def test_what_a_person_keeps_beside_the_checkpoints(train: Train, name: str) -> None:
    run = train("vanilla", steps=10, checkpoint_every=5).run
    mine = run / "checkpoints" / f"{name}.safetensors"
    mine.write_bytes(b"mine")
    ganzoo.train(resume=str(run), settings={"steps": 30}, export=False)
    assert mine.read_bytes() == b"mine"


@pytest.mark.parametrize("seconds", ["1e999", "-1e999", "-5", '"x"', "null", "[]"])
def test_a_clock_that_cannot_be(train: Train, seconds: str) -> None:
    run = train("vanilla", steps=5, report_every=5).run
    (run / "clock.json").write_text(f'{{"step": 5, "seconds": {seconds}}}')
    ganzoo.train(resume=str(run), settings={"steps": 10}, export=False)
    before, after = (report["seconds"] for report in Run.find(str(run), run).reports())
    assert 0 < before <= after < 600


def test_folders_that_somebody_removed_are_made_again(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a training, too."""
    notes: list[str] = []

    def tidy_up(self: Observer, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        shutil.rmtree(run.directory / "checkpoints", ignore_errors=True)
        shutil.rmtree(run.directory / "samples", ignore_errors=True)

    monkeypatch.setattr(Observer, "logged", tidy_up)
    monkeypatch.setattr(Observer, "noted", lambda self, message: notes.append(message))
    done = train("vanilla", steps=20, report_every=5, checkpoint_every=5, preview_every=5)
    assert notes == []
    assert (done.run / "checkpoints/step-00000020.safetensors").exists()
