"""Ends before the last step: time, patience; checkpoints by time, and such as cannot be written."""

import errno
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganzoo import api
from ganzoo.errors import GanzooError, TrainingStopped
from ganzoo.evaluation.evaluate import Evaluator
from ganzoo.observer import Observer
from ganzoo.pipeline.draft import draft_new
from ganzoo.pipeline.session import Session
from ganzoo.records.result import TrainResult
from ganzoo.records.run import Run
from ganzoo.training import checkpoint, stopping
from ganzoo.training.loop import run_to_end
from ganzoo.training.ranks import Ranks
from ganzoo.training.saving import Saver
from ganzoo.training.trainer import Trainer
from ganzoo_registry import Registry

MakeTrainer = Callable[..., Trainer]
Train = Callable[..., TrainResult]
Started = tuple[Run, Trainer, "Notes"]


@pytest.fixture
def time_passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """``time_passes(seconds)``: between any two looks at the clock."""
    now, pace = 0.0, 0.0

    def perf_counter() -> float:
        nonlocal now
        now += pace
        return now

    def set_pace(seconds: float) -> None:
        nonlocal pace
        pace = seconds

    monkeypatch.setattr(time, "perf_counter", perf_counter)
    return set_pace


def reports(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_time_is_up(train: Train, own_registry: Path, time_passes: Callable[[float], None]) -> None:
    """The run ends as with its last step: saved, reported, registered as what a run of so many steps leaves."""
    time_passes(1.0)
    result = train("vanilla", steps=50, max_time=10.0, name="short")
    time_passes(0.0)
    steps = reports(result.run)[-1]["step"]
    assert 2 < steps < 10
    assert [path.stem for path in (result.run / "checkpoints").iterdir()] == [f"step-{steps:08d}"]
    store = Registry(own_registry)
    record = store.lineage(result.version)
    assert (record["training"]["steps"], record["config"]["steps"]) == (steps, steps)
    same = train("vanilla", steps=steps, name="same").version
    assert store.kinds(same)["generator"] == store.kinds(result.version)["generator"]


def test_time_counts_over_resumes(train: Train, time_passes: Callable[[float], None]) -> None:
    time_passes(1.0)
    result = train("vanilla", steps=200, max_time=10.0, report_every=1)
    steps = reports(result.run)[-1]["step"]
    again = train("", resume=str(result.run))
    assert again.version == result.version
    assert reports(result.run)[-1]["step"] == steps
    longer = train("", resume=str(result.run), max_time=20.0)
    more = reports(longer.run)
    assert steps < more[-1]["step"] < 3 * steps
    assert [report["seconds"] for report in more] == sorted(report["seconds"] for report in more)
    assert more[-1]["seconds"] >= 20


def test_time_between_the_last_report_and_a_stop_counts(
    train: Train, time_passes: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is stopped, and however seldom it reports: after its seconds it ends."""
    time_passes(1.0)
    monkeypatch.setattr(Observer, "stepped", lambda self, step: signal.raise_signal(signal.SIGTERM))
    stops = 0
    settings = {"steps": 200, "max_time": 60.0, "report_every": 500}
    while stops < 40:
        try:
            result = train("vanilla", resume="last") if stops else train("vanilla", **settings)
            break
        except TrainingStopped:
            stops += 1
    assert 2 < stops < 40
    assert reports(result.run)[-1]["seconds"] >= 60


def test_an_early_end_is_told_each_time(
    train: Train, time_passes: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    monkeypatch.setattr(Observer, "noted", lambda self, message: notes.append(message))
    time_passes(1.0)
    result = train("vanilla", steps=50, max_time=10.0)
    time_passes(0.0)
    train("", resume=str(result.run))
    steps = reports(result.run)[-1]["step"]
    said = "its 10 seconds are over; --resume with a longer --max-time goes on"
    assert notes == [f"training ended after step {steps} of 50: {said}"] * 2
    assert json.loads((result.run / "outcome.json").read_text())["reason"] == said


def test_a_stop_that_cannot_be_saved_is_an_error(
    started: Started, full_disk: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However soon the failure is known: it must not say that everything is saved."""
    run, trainer, notes = started
    full_disk("step-00000003")
    monkeypatch.setattr(notes, "stepped", lambda step: step == 3 and signal.raise_signal(signal.SIGTERM))  # type: ignore[func-returns-value]
    keep = Saver.keep

    def at_once(saver: Saver, path: Path, then: Callable[[], object]) -> None:
        keep(saver, path, then)
        wait([saver._writing] if saver._writing else [])

    monkeypatch.setattr(Saver, "keep", at_once)
    with pytest.raises(GanzooError) as caught:
        run_to_end(trainer, run, notes)
    assert str(caught.value) == f"cannot write {run.checkpoint_path(3)}: the disk is full"
    assert notes.notes == []


def test_seconds_of_steps_that_are_lost_do_not_count(train: Train, time_passes: Callable[[float], None]) -> None:
    """Where no checkpoint was written, nothing untrained is registered because time is up."""
    result = train("vanilla", steps=4)
    (result.run / "clock.json").write_text('{"step": 5, "seconds": 1000}')
    train("", resume=str(result.run), steps=6, max_time=100.0)
    assert reports(result.run)[-1]["step"] == 6


def test_a_damaged_clock_begins_anew(train: Train) -> None:
    result = train("vanilla", steps=2)
    (result.run / "clock.json").write_text("[]")
    assert train("", resume=str(result.run), steps=3).version


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[float]], None]:
    """``scores([3, 1, 2])``: what the evaluations of a run find, one after another."""

    def give(values: list[float]) -> None:
        left = iter(values)
        monkeypatch.setattr(Evaluator, "figures", lambda self, source: {"fd": next(left)})

    return give


def evaluated(run: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (run / "evaluations.jsonl").read_text().splitlines()]


def test_patience(train: Train, own_registry: Path, scores: Callable[[list[float]], None]) -> None:
    """Two evaluations without a better one end it; the best version is there, and the last beside it."""
    scores([3.0, 4.0, 2.0, 2.0, 2.5])
    result = train("vanilla", steps=40, eval_every=4, patience=2)
    assert evaluated(result.run) == [4, 8, 12, 16, 20]
    store = Registry(own_registry)
    assert result.best
    assert [store.lineage(version)["training"]["steps"] for version in (result.best, result.version)] == [12, 20]


def test_patience_that_lasts(train: Train, scores: Callable[[list[float]], None]) -> None:
    scores([3.0, 4.0, 2.0, 2.5, 2.4])
    result = train("vanilla", steps=20, eval_every=4, patience=3)
    assert evaluated(result.run) == [4, 8, 12, 16, 20]


def test_nothing_that_can_be_ranked_is_not_the_best(train: Train, scores: Callable[[list[float]], None]) -> None:
    """Before anything is found, there is nothing to be better than."""
    scores([float("inf")] * 5)
    assert evaluated(train("vanilla", steps=20, eval_every=4, patience=1).run) == [4, 8, 12, 16, 20]


def test_a_run_out_of_patience_goes_on_with_more(train: Train, scores: Callable[[list[float]], None]) -> None:
    scores([1.0, 2.0])
    result = train("vanilla", steps=20, eval_every=4, patience=1)
    assert evaluated(result.run) == [4, 8]
    assert evaluated(train("", resume=str(result.run)).run) == [4, 8]
    scores([3.0, 0.5, 1.0, 1.0])
    assert evaluated(train("", resume=str(result.run), patience=2).run) == [4, 8, 12]


class Notes(Observer):
    """Keeps what a person should know."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def noted(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``full_disk(pattern)``: there is no room for files whose path matches."""

    def fill(pattern: str) -> None:
        sound = os.replace

        def replace(source: Path, target: Path) -> None:
            if re.search(pattern, str(target)):
                raise OSError(errno.ENOSPC, "No space left on device")
            sound(source, target)

        monkeypatch.setattr(os, "replace", replace)

    return fill


@pytest.fixture
def started(tmp_path: Path, own_registry: Path) -> Started:
    """A narrow vanilla of 20 steps, its run, and who is told."""
    notes = Notes()
    store = api.open_registry(own_registry)
    session = Session(store, tmp_path / "runs", observer=notes)
    settings = {"options": {"width": 8}, "batch": 8, "device": "cpu", "steps": 20, "checkpoint_every": 4}
    run, plan = session.begin(draft_new(store, "vanilla", settings))
    return run, plan.trainer, notes


class Hours(Notes):
    """A clock that each step moves by a minute."""

    now = 0.0

    def perf_counter(self) -> float:
        """Seconds."""
        return self.now

    def stepped(self, step: int) -> None:
        """A minute is over."""
        self.now += 60


@pytest.fixture
def saved(started: Started, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[int], list[int]]]:
    """The steps after which a run of a minute a step wrote a checkpoint, and those that it would have gone back to."""
    run, trainer, _ = started
    clock = Hours()
    monkeypatch.setattr(stopping, "time", clock)

    def train(**settings: Any) -> tuple[list[int], list[int]]:
        steps: dict[str, list[int]] = {"write": [], "keep": []}
        for name, noted in steps.items():
            monkeypatch.setattr(Saver, name, recorded(getattr(Saver, name), noted))
        run_to_end(trainer, Run(run.directory, replace(run.config, **settings), run.facts), clock)
        return steps["write"], steps["keep"]

    def recorded(method: Callable[..., object], noted: list[int]) -> Callable[..., object]:
        def call(*arguments: Any, **how: Any) -> object:
            noted.append(trainer.steps_done)
            return method(*arguments, **how)

        return call

    return train


@pytest.mark.parametrize(
    ("minutes", "every", "written"),
    [
        (3, 100, [3, 6, 9, 12, 15, 18, 20]),
        (3, 4, [3, 4, 7, 8, 11, 12, 15, 16, 19, 20]),
        (4.5, 100, [5, 10, 15, 20]),
        (3, 2, [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]),
        (0, 100, [20]),
    ],
)
def test_a_checkpoint_that_time_asks_for(
    saved: Callable[..., tuple[list[int], list[int]]], minutes: float, every: int, written: list[int]
) -> None:
    """Counted from the last one, whatever asked for that; a run never goes back to it, so no clock decides a result."""
    found, kept = saved(checkpoint_minutes=minutes, checkpoint_every=every)
    assert found == written
    assert kept == [step for step in written if step % every == 0 or step == 20]


@pytest.mark.parametrize(
    ("rank", "question", "written"), [(1, "_overdue _agreed", [16, 20]), (1, "", [20]), (0, "", [16, 20])]
)
def test_the_first_ranks_clock_asks_all_for_a_checkpoint(
    started: Started,
    saved: Callable[..., tuple[list[int], list[int]]],
    monkeypatch: pytest.MonkeyPatch,
    rank: int,
    question: str,
    written: list[int],
) -> None:
    """When they next ask one another, every 16 steps; another rank's clock is not asked."""
    monkeypatch.setattr(Others, "yes_to", question)
    started[1].ranks = Others(rank, 2)
    assert saved(checkpoint_minutes=3, checkpoint_every=100)[0] == written


def test_a_full_disk_does_not_end_training(started: Started, full_disk: Callable[[str], None]) -> None:
    """It is told, tried again, and the last good file stays."""
    run, trainer, notes = started
    full_disk("step-000000(08|12)")
    assert run_to_end(trainer, run, notes).step == 20
    assert [path.stem for path in run.checkpoints()] == ["step-00000004", "step-00000016", "step-00000020"]
    said = "the disk is full; training goes on, and the last whole checkpoint stays"
    assert notes.notes == [f"cannot write {run.checkpoint_path(step)}: {said}" for step in (8, 12)]


def test_a_disk_that_was_always_full(started: Started, full_disk: Callable[[str], None]) -> None:
    """Then there is no last good file to speak of."""
    run, trainer, notes = started
    full_disk("step-000000..")
    assert run_to_end(trainer, run, notes).step == 20
    assert run.checkpoints() == []
    assert notes.notes[0] == f"cannot write {run.checkpoint_path(4)}: the disk is full; training goes on"


def test_a_disk_that_is_full_at_the_end_costs_the_checkpoint_alone(
    started: Started, full_disk: Callable[[str], None]
) -> None:
    run, trainer, notes = started
    full_disk("step-00000020")
    assert run_to_end(trainer, run, notes).step == 20
    said = "the disk is full; what was trained is registered from memory, and the last whole checkpoint stays"
    assert notes.notes == [f"cannot write {run.checkpoint_path(20)}: {said}"]
    assert [path.stem for path in run.checkpoints()] == ["step-00000008", "step-00000012", "step-00000016"]
    assert not list(run.directory.glob("checkpoints/.*"))


def test_the_best_and_the_last_are_registered_from_memory(
    train: Train, own_registry: Path, full_disk: Callable[[str], None], scores: Callable[[list[float]], None]
) -> None:
    """The last checkpoint is lost on a full disk, and the registry is on another one."""
    scores([1.0, 2.0])
    full_disk("step-00000008")
    result = train("vanilla", steps=8, eval_every=4, name="full")
    store = Registry(own_registry)
    whole = train("vanilla", steps=8, name="whole")
    assert store.kinds(result.version)["generator"] == store.kinds(whole.version)["generator"]
    assert result.best
    assert store.lineage(result.best)["training"]["steps"] == 4


def test_samples_that_find_no_room_at_the_end_cost_no_version(
    train: Train, own_registry: Path, full_disk: Callable[[str], None]
) -> None:
    full_disk("samples.png")
    with pytest.raises(GanzooError) as caught:
        train("vanilla", steps=2)
    assert str(caught.value).endswith(": the disk is full (the weights are registered as vanilla:1)")
    assert Registry(own_registry).names() == ["vanilla"]


def test_a_checkpoint_that_cannot_be_removed_does_not_end_training(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, trainer, notes = started

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.name.startswith("step-"):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        os.unlink(path)

    monkeypatch.setattr(Path, "unlink", unlink)
    assert run_to_end(trainer, run, notes).step == 20
    assert notes.notes == [
        f"older checkpoints than {run.checkpoint_path(step)} stay: Operation not permitted" for step in (16, 20)
    ]


def test_samples_that_cannot_be_written_do_not_end_training(started: Started, full_disk: Callable[[str], None]) -> None:
    run, trainer, notes = started
    run.config = replace(run.config, preview_every=10)
    full_disk("/samples/")
    run_to_end(trainer, run, notes)
    assert notes.notes == [
        f"cannot write {run.sample_path(step)}: the disk is full; training goes on without it" for step in (10, 20)
    ]


def test_reports_that_cannot_be_written_do_not_end_training(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    run, trainer, notes = started

    def report(self: Run, step: int, metrics: dict[str, float]) -> None:
        raise GanzooError("the disk is full")

    monkeypatch.setattr(Run, "log", report)
    assert run_to_end(trainer, run, notes).step == 20
    assert notes.notes == ["the disk is full; training goes on without it"]


def test_what_is_written_is_the_state_when_it_was_saved(
    make_trainer: MakeTrainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training goes on while a checkpoint waits to be written, and the file knows nothing of it."""
    trainer, other = make_trainer("dcgan", seed=1), make_trainer("dcgan", seed=1)
    for each in (trainer, other):
        each.step()
    checkpoint.write(other, tmp_path / "at once.safetensors")
    may_write = threading.Event()
    encode = checkpoint.encode
    monkeypatch.setattr(checkpoint, "encode", lambda snapshot: may_write.wait() and encode(snapshot))
    with Saver(trainer, pytest.fail) as saver:
        saver.keep(tmp_path / "later.safetensors", then=lambda: None)
        trainer.step()
        assert not (tmp_path / "later.safetensors").exists()
        may_write.set()
        saver.finish()
    assert (tmp_path / "later.safetensors").read_bytes() == (tmp_path / "at once.safetensors").read_bytes()


def test_a_second_checkpoint_waits_for_the_first(
    make_trainer: MakeTrainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer("vanilla")
    order: list[object] = []
    monkeypatch.setattr(checkpoint, "encode", lambda snapshot: order.append(snapshot.steps_done) or b"")  # type: ignore[func-returns-value]
    with Saver(trainer, pytest.fail) as saver:
        for step in range(3):
            saver.keep(tmp_path / "file", then=partial(order.append, f"after {step}"))
            assert len(order) >= 2 * step
            trainer.step()
    assert order == [0, "after 0", 1, "after 1", 2, "after 2"]


def test_nothing_is_logged_before_a_first_checkpoint_that_is_due_is_there(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is killed between the two has a log, and nothing to go on from."""
    encode, log, there = checkpoint.encode, Run.log, []

    def slowly(snapshot: Any) -> bytes:
        time.sleep(0.2 * (snapshot.steps_done == 2))
        return encode(snapshot)

    def look(run: Run, step: int, metrics: Any) -> None:
        there.append(len(run.checkpoints()))
        log(run, step, metrics)

    monkeypatch.setattr(checkpoint, "encode", slowly)
    monkeypatch.setattr(Run, "log", look)
    train("vanilla", steps=6, checkpoint_every=2, report_every=3)
    assert there[0] == 1


def test_a_folder_removed_before_the_disk_is_reached_is_made_again(
    make_trainer: MakeTrainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "checkpoints" / "file"
    file.parent.mkdir()
    monkeypatch.setattr(checkpoint, "encode", lambda snapshot: file.parent.rmdir() or b"state")  # type: ignore[func-returns-value]
    with Saver(make_trainer("vanilla"), pytest.fail) as saver:
        saver.keep(file, then=lambda: None)
        saver.finish()
    assert file.read_bytes() == b"state"


def test_only_the_first_rank_writes(make_trainer: MakeTrainer, tmp_path: Path) -> None:
    """Each of them keeps the state that all go back to."""
    trainer = make_trainer("vanilla")
    trainer.ranks = Ranks(1, 2)
    with Saver(trainer, pytest.fail) as saver:
        trainer.step()
        saver.keep(tmp_path / "file", then=pytest.fail)
        assert saver.last.steps_done == 1
    assert not (tmp_path / "file").exists()


def test_halves_of_checkpoints_are_swept(train: Train) -> None:
    run = train("vanilla", steps=4).run
    half = run / "checkpoints" / ".0123456789abcdef.partial"
    half.write_bytes(b"half")
    train("", resume=str(run))
    assert not half.exists()


class Others(Ranks):
    """Another rank, which says yes to one of the questions that all ranks are asked."""

    yes_to = ""

    def any(self, flag: bool) -> bool:
        asking = sys._getframe(1)
        assert asking.f_back
        return flag or self.yes_to in (asking.f_code.co_name, f"{asking.f_back.f_code.co_name} {asking.f_code.co_name}")

    def average_(self, tensors: Sequence[Tensor]) -> None:
        pass

    def gather(self, tensor: Tensor) -> Tensor:
        return torch.stack([tensor, tensor])


@pytest.fixture
def beside(started: Started, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Started]:
    """As ``started``, beside another rank that says yes to ``question``."""
    run, trainer, notes = started
    trainer.ranks = Others(0, 2)

    def ask(question: str, **settings: Any) -> Started:
        monkeypatch.setattr(Others, "yes_to", question)
        trainer.config = run.config = replace(run.config, **settings)
        return run, trainer, notes

    return ask


def test_a_signal_to_another_rank_stops_all(beside: Callable[..., Started]) -> None:
    run, trainer, notes = beside("_advance _agreed")
    with pytest.raises(TrainingStopped, match="stopped by a signal to another rank after step 16 of 20"):
        run_to_end(trainer, run, notes)


def test_time_that_is_over_for_the_first_rank_is_over_for_all(beside: Callable[..., Started]) -> None:
    run, trainer, notes = beside("_over _agreed", max_time=1e6)
    ending = run_to_end(trainer, run, notes)
    assert (ending.step, ending.reason) == (0, "its 1e+06 seconds are over; --resume with a longer --max-time goes on")


def test_another_ranks_bad_number_takes_all_back(beside: Callable[..., Started]) -> None:
    run, trainer, notes = beside("_bad_number")
    with pytest.raises(GanzooError, match="diverged a second time: a number of another rank is not finite"):
        run_to_end(trainer, run, notes)
    assert (
        notes.notes[0] == "a number of another rank is not finite: back to step 0, and on with half the learning rates"
    )


def test_patience_that_the_first_rank_has_lost_ends_all(beside: Callable[..., Started]) -> None:
    run, trainer, notes = beside("_impatient", patience=1, eval_every=4)
    ending = run_to_end(trainer, run, notes)
    assert (ending.step, ending.reason.partition(";")[0]) == (4, "1 evaluations found nothing better")
