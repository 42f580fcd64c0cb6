"""A loss that is not a number stops the run, says where, and is never registered."""

import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from ganzoo.cli import main
from ganzoo.errors import ExitCode
from ganzoo_plugins.losses.losses import NonSaturating
from ganzoo_registry import Registry

NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture
def train_until_it_breaks(tmp_path, monkeypatch, capsys):
    """Train vanilla with a loss that ``breaks(loss, step)`` from its 7th call on; returns exit code and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(role, breaks, *arguments):
        calls = 0
        sound = getattr(NonSaturating, role)

        def broken(self, step):
            nonlocal calls
            calls += 1
            loss = sound(self, step)
            return breaks(loss, step) if calls >= 7 else loss

        monkeypatch.setattr(NonSaturating, role, broken)
        small = ["--batch", "8", "--set", "options.width=8", "--device", "cpu", "--no-export"]
        code = main(["train", "--model", "vanilla", "--steps", "20", *small, *arguments])
        return code, capsys.readouterr().err

    return run


def saved_steps():
    """The steps of the checkpoints, all of which hold finite numbers only."""
    paths = sorted(Path("runs/vanilla/1/checkpoints").iterdir())
    for path in paths:
        with safe_open(path, framework="pt") as file:
            assert all(torch.isfinite(file.get_tensor(key)).all() for key in file.keys()), path  # noqa: SIM118
    return [int(path.stem.removeprefix("step-")) for path in paths]


def registered():
    return Registry(Path(os.environ["GANZOO_REGISTRY"])).names()


@pytest.mark.parametrize("role", ["discriminator", "generator"])
@pytest.mark.parametrize("value", [NAN, INFINITY])
def test_the_step_is_named(train_until_it_breaks, role, value):
    """The 7th call of the loss is the 7th step, counted as the progress bar counts."""
    code, errors = train_until_it_breaks(role, lambda loss, step: loss * value, "--set", "checkpoint_every=2")
    assert code == ExitCode.FAILURE
    assert errors.endswith(
        "Error: training of vanilla diverged: the loss of step 7 is not a finite number; nothing was registered\n"
        "Hint: try --set generator.lr=0.0001 --set discriminator.lr=0.0001, or --set precision=fp32; "
        "the last good checkpoint is in runs/vanilla/1\n"
    )
    assert saved_steps() == [2, 4, 6]
    assert not registered()


def test_a_bad_step_is_never_the_checkpoint_of_its_own(train_until_it_breaks):
    train_until_it_breaks("generator", lambda loss, step: loss * NAN, "--set", "checkpoint_every=7")
    assert saved_steps() == []


def with_a_bad_gradient(loss, step):
    """Finite itself, but sqrt'(0) = infinity, and infinity times zero is not a number."""
    return loss + (0 * step.fake.logits).sum().sqrt()


@pytest.mark.parametrize(
    ("arguments", "saved"),
    [(["--set", "checkpoint_every=7"], []), (["--steps", "7", "--set", "checkpoint_every=3"], [3, 6])],
    ids=["at a checkpoint", "in the last step"],
)
def test_a_finite_loss_with_a_bad_gradient(train_until_it_breaks, arguments, saved):
    code, errors = train_until_it_breaks("generator", with_a_bad_gradient, *arguments)
    assert code == ExitCode.FAILURE
    assert (
        "Error: training of vanilla diverged: after step 7 the generator's weights are not finite numbers; nothing "
        "was registered\n"
    ) in errors
    assert saved_steps() == saved
    assert not registered()


def test_between_checkpoints_a_bad_gradient_shows_in_the_next_loss(train_until_it_breaks):
    code, errors = train_until_it_breaks("generator", with_a_bad_gradient, "--set", "checkpoint_every=5")
    assert code == ExitCode.FAILURE
    assert "the loss of step 8 is not a finite number" in errors
    assert saved_steps() == [5]
