"""Signals and crashes: the step is finished and saved, or the checkpoint before it is still there."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganzoo.cli import main
from ganzoo.errors import ExitCode
from ganzoo.progress.training import Progress
from ganzoo.records.result import TrainResult
from ganzoo.training.trainer import Trainer
from ganzoo_registry import Registry

STEPS = 30
PAUSE = 17

# Waits in the middle of the run until its parent has done what it wants to it, so that no timing is involved.
CHILD = f"""
import os, sys, torch
from ganzoo.cli import main
from ganzoo.progress.training import Progress

told = os.fdopen(os.dup(1), "w")  # a command keeps stdout for its data

def stepped(self, step):
    if step == {PAUSE}:
        print("paused", file=told, flush=True)
        sys.stdin.readline()

Progress.stepped = stepped
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A narrow vanilla on 64 images, with a checkpoint every 10 steps."""
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (64, 8, 8), np.uint8)
    np.save("data.npy", images)
    settings = ["batch=8", "options.width=8", "checkpoint_every=10", "report_every=10"]
    pairs = [argument for pair in settings for argument in ("--set", pair)]
    return ["train", "--model", "vanilla", "--data", "data.npy", "--steps", str(STEPS), "--no-export", *pairs]


@pytest.fixture
def start() -> Iterator[Callable[[list[str]], "subprocess.Popen[str]"]]:
    """Start a run as a process of its own; none outlives the test."""
    with contextlib.ExitStack() as children:

        def start(arguments: list[str]) -> "subprocess.Popen[str]":
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            child: subprocess.Popen[str] = subprocess.Popen(
                [sys.executable, "-c", CHILD, *arguments], text=True, **pipes
            )
            children.enter_context(child)
            children.callback(child.kill)
            return child

        yield start


def interrupt(child: "subprocess.Popen[str]", number: signal.Signals) -> tuple[int, str]:
    """Exit code and stderr of a run that gets a signal in its pause."""
    assert child.stdout is not None
    assert child.stdout.readline() == "paused\n", child.communicate()[1]
    child.send_signal(number)
    _, errors = child.communicate("\n")
    return child.returncode, errors


def checkpoint(run: str, step: int = STEPS) -> bytes:
    return Path("runs", run, "checkpoints", f"step-{step:08d}.safetensors").read_bytes()


def test_sigterm_and_kill_in_the_middle_then_resume(
    arguments: list[str], start: Callable[[list[str]], "subprocess.Popen[str]"]
) -> None:
    """As real processes, end to end; the resumed runs end with the bytes of the one that nobody disturbed."""
    stopped, killed = start([*arguments, "--name", "stopped"]), start([*arguments, "--name", "killed"])
    assert main([*arguments, "--name", "whole"]) == 0
    code, errors = interrupt(stopped, signal.SIGTERM)
    assert code == ExitCode.STOPPED
    message = re.search(r"stopped by SIGTERM after step (\d+) of 30; everything is saved\nHint: (.+)\n", errors)
    assert message is not None, errors
    assert message[2] == "go on with: ganzoo train --resume runs/stopped/1"
    assert PAUSE <= int(message[1]) <= PAUSE + 1
    assert "Traceback" not in errors
    assert checkpoint("stopped/1", int(message[1]))

    code, _ = interrupt(killed, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert [path.stem for path in Path("runs/killed/1/checkpoints").iterdir()] == ["step-00000010"]

    assert "stopped" not in Registry(Path(os.environ["GANZOO_REGISTRY"])).names()
    assert main(["train", "--resume", "runs/killed/1", "--no-export"]) == 0
    assert checkpoint("killed/1") == checkpoint("whole/1")
    again = subprocess.run(
        [sys.executable, "-m", "ganzoo", "train", "--resume", "stopped/1", "--no-export"],
        capture_output=True,
        text=True,
    )
    assert again.returncode == 0, again.stderr
    assert "registered  stopped:1" in again.stdout
    assert checkpoint("stopped/1") == checkpoint("whole/1")


def send(monkeypatch: pytest.MonkeyPatch, at: int, *numbers: signal.Signals, method: str = "stepped") -> None:
    """Send this process ``numbers`` when its run is told of step ``at``."""
    original = getattr(Progress, method)

    def told(self: Progress, *arguments: Any) -> None:
        original(self, *arguments)
        if (arguments[0] if method == "stepped" else arguments[1]) == at:
            for number in numbers:
                signal.raise_signal(number)

    monkeypatch.setattr(Progress, method, told)


def test_ctrl_c(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert main([*arguments, "--name", "whole"]) == 0
    capsys.readouterr()
    with monkeypatch.context() as patch:
        send(patch, 12, signal.SIGINT)
        assert main(arguments) == ExitCode.STOPPED
    assert capsys.readouterr().err.endswith(
        "stopped by SIGINT after step 12 of 30; everything is saved\n"
        "Hint: go on with: ganzoo train --resume runs/vanilla/1\n"
    )
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert main(["train", "--resume", "runs/vanilla/1", "--no-export"]) == 0
    assert checkpoint("vanilla/1") == checkpoint("whole/1")


def test_a_closed_terminal_saves(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However often it says so."""
    send(monkeypatch, 12, signal.SIGHUP, signal.SIGHUP)
    assert main(arguments) == ExitCode.STOPPED
    assert "stopped by SIGHUP after step 12 of 30; everything is saved\n" in capsys.readouterr().err
    assert checkpoint("vanilla/1", 12)


def test_nohup_is_obeyed(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        send(monkeypatch, 12, signal.SIGHUP)
        assert main(arguments) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_hint_names_the_registry_that_was_given(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    send(monkeypatch, 12, signal.SIGINT)
    assert main([*arguments, "--registry", "my registry"]) == ExitCode.STOPPED
    assert capsys.readouterr().err.endswith("--resume runs/vanilla/1 --registry 'my registry'\n")


def test_the_hint_can_be_pasted(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    send(monkeypatch, 12, signal.SIGINT)
    assert main([*arguments, "--runs", "my runs"]) == ExitCode.STOPPED
    assert capsys.readouterr().err.endswith("ganzoo train --resume 'my runs/vanilla/1'\n")


def test_a_signal_while_a_step_is_reported(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Too late for step 20 to be the last: the next one is, with a checkpoint that is there when it says so."""
    send(monkeypatch, 20, signal.SIGTERM, method="logged")
    assert main([*arguments, "--set", "checkpoint_every=30"]) == ExitCode.STOPPED
    assert "stopped by SIGTERM after step 21 of 30; everything is saved\n" in capsys.readouterr().err
    assert checkpoint("vanilla/1", 21)


def test_a_signal_in_the_last_step_comes_too_late(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    send(monkeypatch, STEPS, signal.SIGTERM)
    assert main(arguments) == 0
    assert "registered  vanilla:1" in capsys.readouterr().out


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_interrupts_at_once(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], second: signal.Signals
) -> None:
    send(monkeypatch, 12, signal.SIGTERM, second)
    assert main(arguments) == ExitCode.INTERRUPTED
    assert "Error: interrupted\n" in capsys.readouterr().err
    assert json.loads(Path("runs/vanilla/1/outcome.json").read_text())["reason"] == "interrupted"
    assert [path.stem for path in Path("runs/vanilla/1/checkpoints").iterdir()] == ["step-00000010"]
    assert not Registry(Path(os.environ["GANZOO_REGISTRY"])).names()


@pytest.mark.parametrize("error", [SystemExit(0), KeyboardInterrupt(), GeneratorExit(), 0], ids=repr)
def test_what_no_signal_ends_is_a_fault_of_the_model(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException | int,
) -> None:
    """A network or a loss that exits: neither is it a person's Ctrl-C, nor does the training end without a word."""
    step = Trainer.step

    def exiting(trainer: Trainer) -> None:
        if trainer.steps_done == 12:
            if isinstance(error, int):
                os._exit(error)
            raise error
        step(trainer)

    monkeypatch.setattr(Trainer, "step", exiting)
    assert main(arguments) == ExitCode.PLUGIN
    said = f"model 'vanilla' would end ganzoo: {'SystemExit: os._exit(0)' if error == 0 else type(error).__name__}"
    assert f"Error: {said}" in capsys.readouterr().err
    outcome = json.loads(Path("runs/vanilla/1/outcome.json").read_text())
    assert (outcome["state"], outcome["step"]) == ("failed", 12)
    assert outcome["reason"].startswith(said)
    assert [path.stem for path in Path("runs/vanilla/1/checkpoints").iterdir()] == ["step-00000010"]


def test_outside_the_main_thread_training_leaves_signals_alone(train: Callable[..., TrainResult]) -> None:
    results = []
    thread = threading.Thread(target=lambda: results.append(train("vanilla", steps=2)))
    thread.start()
    thread.join()
    assert [str(result.version) for result in results] == ["vanilla:1"]
