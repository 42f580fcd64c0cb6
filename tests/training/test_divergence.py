"""Numbers that are not finite: the run goes back and on more slowly, once; it never keeps them, and never twice."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from ganzoo.cli import main
from ganzoo.errors import ExitCode, GanzooError
from ganzoo.records.run import Run
from ganzoo.step import Step
from ganzoo.training.trainer import Trainer
from ganzoo_plugins.losses.losses import NonSaturating
from ganzoo_registry import Registry

NAN, INFINITY = float("nan"), float("inf")
CHECKPOINTS = Path("runs/vanilla/1/checkpoints")
Fault = tuple[str, Callable[..., Any]]


class Faults:
    """What happens in which steps; each only as often as it is given: ``{7: [fault], 9: [fault, fault]}``."""

    def __init__(self, at: Mapping[int, list[Fault]]) -> None:
        self.left = {step: list(faults) for step, faults in at.items()}
        self.now = 0
        self.rates: dict[int, float] = {}

    def next(self, kind: str) -> Fault | None:
        """The fault of the step that is taken, if it is of this kind; it is then over."""
        faults = self.left.get(self.now, [])
        return faults.pop(0) if faults and faults[0][0] == kind else None


Train = Callable[..., tuple[int, str, Faults]]


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Train:
    """Train a narrow vanilla for 20 steps with faults; returns exit code, stderr and the faults.

    A fault is ``(role, loss -> loss)`` or ``("weights", trainer -> None)``; steps are counted as the progress bar does.
    """
    monkeypatch.chdir(tmp_path)

    def run(
        at: Mapping[int, list[Fault]], *arguments: str, model: str = "vanilla", steps: int = 20
    ) -> tuple[int, str, Faults]:
        faults = Faults(at)
        take_step = Trainer.step

        def step(trainer: Trainer) -> None:
            faults.now = trainer.steps_done + 1
            if fault := faults.next("weights"):
                fault[1](trainer)
            take_step(trainer)
            faults.rates[faults.now] = trainer.optimizations["generator"]._optimizer.param_groups[0]["lr"]

        def broken(role: str) -> Callable[[NonSaturating, Step], torch.Tensor]:
            sound = getattr(NonSaturating, role)

            def loss(self: NonSaturating, step: Step) -> torch.Tensor:
                value = sound(self, step)
                fault = faults.next(role)
                worse: torch.Tensor = fault[1](value, step) if fault else value
                return worse

            return loss

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "step", step)
            for role in ("discriminator", "generator"):
                patch.setattr(NonSaturating, role, broken(role))
            small = ["--batch", "8", "--set", "options.width=8", "--device", "cpu", "--no-export"]
            code = main(["train", "--model", model, "--steps", str(steps), *small, *arguments])
        return code, capsys.readouterr().err, faults

    return run


def times(value: float) -> Callable[[torch.Tensor, Step], torch.Tensor]:
    return lambda loss, step: loss * value


def with_a_bad_gradient(loss: torch.Tensor, step: Step) -> torch.Tensor:
    """Finite itself, but sqrt'(0) = infinity, and infinity times zero is not a number."""
    return loss + (0 * step.fake.logits).sum().sqrt()


def with_an_infinite_gradient(loss: torch.Tensor, step: Step) -> torch.Tensor:
    return loss + (step.fake.logits - step.fake.logits.detach()).sum().abs().sqrt()


def with_bad_weights(trainer: Trainer) -> None:
    next(trainer.generator.parameters()).data.view(-1)[0] = NAN


def spike(trainer: Trainer) -> None:
    """What a learning rate of 1e30 does in one step."""
    for parameter in trainer.discriminator.parameters():
        parameter.data.mul_(1e30)


def saved_steps() -> list[int]:
    """The steps of the checkpoints, all of which hold finite numbers only."""
    paths = sorted(CHECKPOINTS.iterdir())
    for path in paths:
        with safe_open(path, framework="pt") as file:
            assert all(torch.isfinite(file.get_tensor(key)).all() for key in file.keys()), path  # noqa: SIM118
    return [int(path.stem.removeprefix("step-")) for path in paths]


def registered() -> list[str]:
    return Registry(Path(os.environ["GANZOO_REGISTRY"])).names()


def events() -> list[dict[str, Any]]:
    log = Path("runs/vanilla/1/events.jsonl")
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.mark.parametrize("role", ["discriminator", "generator"])
@pytest.mark.parametrize("value", [NAN, INFINITY])
def test_one_bad_loss(train: Train, role: str, value: float) -> None:
    """The step is named, and what was trained from the checkpoint on is forgotten."""
    code, errors, faults = train({7: [(role, times(value))]}, "--set", "checkpoint_every=3")
    assert code == 0
    said = "the loss of step 7 is not a finite number: back to step 6, and on with half the learning rates"
    assert f"Warning: {said}\n" in errors
    assert events() == [{"step": 7, "kind": "recovered", "message": said}]
    assert faults.rates == {step: 2e-4 if step < 7 else 1e-4 for step in range(1, 21)}
    assert saved_steps() == [15, 18, 20]
    assert registered() == ["vanilla"]


def test_before_the_first_checkpoint(train: Train) -> None:
    """The run goes back to where it began, which needs no file."""
    code, errors, _ = train({3: [("generator", times(NAN))]})
    assert code == 0
    assert "the loss of step 3 is not a finite number: back to step 0, and on with half the learning rates" in errors
    assert saved_steps() == [20]


@pytest.mark.parametrize(("precision", "hint"), [("bf16", ", or --set precision=fp32"), ("fp32", "")])
def test_the_advice_fits(train: Train, precision: str, hint: str) -> None:
    """In fp32 there is nothing to widen, and before the first checkpoint there is none."""
    bad = {3: [("generator", times(NAN))], 5: [("generator", times(NAN))]}
    _, errors, _ = train(bad, "--precision", precision)
    assert errors.endswith(f"Hint: try --set generator.lr=5e-05 --set discriminator.lr=5e-05{hint}\n")


@pytest.mark.parametrize("second", [9, 20])
def test_the_second_time_it_ends(train: Train, second: int) -> None:
    bad = {7: [("generator", times(NAN))], second: [("generator", times(NAN))]}
    every = ["--set", "checkpoint_every=4", "--set", "report_every=2"]
    code, errors, _ = train(bad, *every, "--precision", "bf16")
    assert code == ExitCode.FAILURE
    norms = json.loads(Path("runs/vanilla/1/metrics.jsonl").read_text().splitlines()[-1])
    assert errors.endswith("the last good checkpoint is in runs/vanilla/1\n")
    error, hint = errors.splitlines()[-2:]
    assert error.startswith(
        f"Error: training of vanilla diverged a second time: the loss of step {second} is not a finite number"
    )
    assert error.endswith("; half the learning rates did not help, and nothing was registered")
    if "grad_norm_d" in norms:
        assert f" (gradients before: grad_norm_d {norms['grad_norm_d']:.3g}, grad_norm_g " in error
    assert hint.startswith(
        "Hint: try --set generator.lr=5e-05 --set discriminator.lr=5e-05, or --set precision=fp32; the last good"
    )
    assert saved_steps() == [step for step in (4, 8, 12, 16) if step < second][-3:]
    assert [(event["step"], event["kind"]) for event in events()] == [(5, "recovered"), (second, "diverged")]
    assert not registered()


def test_a_loss_that_is_always_bad(train: Train) -> None:
    code, errors, _ = train({7: [("generator", times(NAN))] * 2})
    assert code == ExitCode.FAILURE
    assert "diverged a second time: the loss of step 7 is not a finite number" in errors
    assert saved_steps() == []
    assert not registered()


@pytest.mark.parametrize("bad", [with_a_bad_gradient, with_an_infinite_gradient])
@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (
            ["--set", "checkpoint_every=7"],
            "after step 7 the generator's weights are not finite numbers: back to step 0",
        ),
        (["--set", "checkpoint_every=5"], "the loss of step 8 is not a finite number: back to step 5"),
        (["--steps", "7", "--set", "checkpoint_every=3"], "after step 7 the generator's weights"),
    ],
    ids=["at a checkpoint", "between two", "in the last step"],
)
def test_a_finite_loss_with_a_bad_gradient(
    train: Train, bad: Callable[[torch.Tensor, Step], torch.Tensor], arguments: list[str], found: str
) -> None:
    """Where it costs nothing the next loss shows it; and no checkpoint is written without a look at the weights."""
    code, errors, _ = train({7: [("generator", bad)]}, *arguments)
    assert code == 0
    assert found in errors
    assert max(saved_steps()) == (7 if "--steps" in arguments else 20)
    assert len(events()) == 1


@pytest.mark.parametrize("fault", [with_bad_weights, spike])
def test_weights_that_break_between_two_steps(train: Train, fault: Callable[[Trainer], None]) -> None:
    code, errors, _ = train({8: [("weights", fault)]}, "--set", "checkpoint_every=5")
    assert code == 0
    assert "the loss of step 8 is not a finite number: back to step 5" in errors or "after step 8" in errors
    assert len(events()) == 1
    assert max(saved_steps()) == 20


def test_a_learning_rate_that_is_too_high(train: Train) -> None:
    """Real divergence, which half the rate does not cure: it ends with a report, and with nothing bad kept."""
    rates = ["--set", "generator.lr=1e30", "--set", "discriminator.lr=1e30", "--set", "precision=fp32"]
    code, errors, _ = train({}, *rates)
    assert code == ExitCode.FAILURE
    assert "back to step 0, and on with half the learning rates\n" in errors
    assert "Error: training of vanilla diverged a second time: " in errors
    assert saved_steps() == []


def last_checkpoint() -> bytes:
    return sorted(CHECKPOINTS.iterdir())[-1].read_bytes()


def test_what_follows_a_recovery_is_resumed_to_the_bit(train: Train) -> None:
    """The halved rate is in the checkpoint, and so is that there was a recovery."""
    bad = {7: [("generator", times(NAN))]}
    every = ["--set", "checkpoint_every=4", "--set", "report_every=4"]
    assert train(bad, *every)[0] == 0
    whole, told = last_checkpoint(), events()
    CHECKPOINTS.joinpath("step-00000020.safetensors").unlink()
    assert main(["train", "--resume", "last", "--no-export"]) == 0
    assert last_checkpoint() == whole
    assert events() == told


def test_a_run_that_is_resumed_after_a_recovery_has_had_its_chance(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train({7: [("generator", times(NAN))]}, "--set", "checkpoint_every=10")[0] == 0
    rehearsed = 2  # images; a loss that is NaN there does not begin at all
    worse = lambda self, step: step.fake.logits.mean() * (1 if len(step.z) == rehearsed else NAN)  # noqa: E731
    monkeypatch.setattr(NonSaturating, "generator", worse)
    assert main(["train", "--resume", "last", "--steps", "25", "--no-export"]) == ExitCode.FAILURE
    assert "diverged a second time: the loss of step 21 " in capsys.readouterr().err


def test_what_was_told_of_forgotten_steps_is_forgotten(train: Train) -> None:
    """Reports and samples after the step that it goes back to come again, once each."""
    every = ["--set", "report_every=2", "--set", "preview_every=2", "--set", "checkpoint_every=10"]
    code, _, _ = train({17: [("discriminator", times(NAN))]}, *every)
    assert code == 0
    steps = [json.loads(line)["step"] for line in Path("runs/vanilla/1/metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(2, 21, 2))
    assert events()[0]["step"] == 11


@pytest.mark.parametrize("writes", ["rewind", "record_event"])
def test_a_recovery_that_cannot_be_recorded_goes_on(train: Train, monkeypatch: pytest.MonkeyPatch, writes: str) -> None:
    def full(self: Run, *_: object) -> None:
        if (self.directory / "metrics.jsonl").exists():
            raise GanzooError("the disk is full")

    monkeypatch.setattr(Run, writes, full)
    code, errors, _ = train({7: [("generator", times(NAN))]}, "--set", "report_every=2")
    assert code == 0
    assert "Warning: the disk is full; training goes on without it\n" in errors
    assert "back to step 0, and on with half the learning rates\n" in errors
