"""Augmentations that see the discriminator's phases: ADA's rule, state that lasts, and code that is refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from augmentations import NoOptions, Unchanging, refused

from ganzoo.errors import ExitCode, UsageError
from ganzoo.step import Output, Step
from ganzoo.training import checkpoint, shares
from ganzoo.training.trainer import Trainer
from ganzoo_plugins.augment import AdaOptions
from ganzoo_plugins.augment.ada import Ada

MakeTrainer = Callable[..., Trainer]


def observed(ada: Ada, state: dict[str, torch.Tensor], logits: torch.Tensor) -> None:
    """One phase, after which what was remembered is the state."""
    remembered: dict[str, torch.Tensor] = {}
    step = Step(
        real=lambda: logits,
        fake=lambda: logits,
        z=logits[:, None],
        labels=None,
        epsilon=logits,
        discriminator=Output,
        log=lambda name, value: None,
        state=state,
        remember=remembered.__setitem__,
        batch=100,
    )
    ada.observe(step)
    state.update(remembered)


def test_p_goes_up_and_down_as_the_rule_says() -> None:
    """sign(r_t - target) * interval * batch / (1000 kimg), with r_t over the last three batches, from 0 to 1."""
    ada = Ada(AdaOptions(target=0.2, interval=3, kimg=1.5))
    state = {name: torch.zeros((), dtype=torch.float64) for name in ("ada_p", "ada_signs", "ada_batches")}
    draws, p, signs = torch.Generator().manual_seed(0), 0.0, list[float]()
    course = []
    for number in range(60):
        middle = 1.0 if 9 <= number < 36 else -1.0
        logits = torch.randn(8, generator=draws, dtype=torch.float64) + middle
        if number and number % 3 == 0:  # known now: what the three batches before have shown
            r = sum(signs[-3:]) / 3
            p = min(1.0, max(0.0, p + (1 if r > 0.2 else -1 if r < 0.2 else 0) * 3 * 100 / 1500))
        signs.append(float(logits.sign().mean()))
        observed(ada, state, logits)
        assert float(state["ada_p"]) == pytest.approx(p, abs=1e-12)
        course.append(p)
    assert max(course) == 1.0
    assert course[-1] == 0.0
    assert {0.2, 0.4, 0.6, 0.8} <= {round(each, 6) for each in course}


def ada(**options: Any) -> dict[str, Any]:
    """Settings by which p is moved by a tenth in every second step."""
    return {"augment": "ada", "augment_options": {"interval": 2, "kimg": 0.16, **options}, "precision": "fp64"}


def test_it_follows_what_the_discriminator_says(make_trainer: MakeTrainer) -> None:
    """Of any loss: below a target of 1 p stays 0, above one of -1 it goes up in each interval, one phase later."""
    for loss in ("non-saturating", "hinge"):
        still, rising = (make_trainer("vanilla", loss=loss, critic_steps=1, **ada(target=end)) for end in (1.0, -1.0))
        course = []
        for _ in range(6):
            still.step()
            rising.step()
            course.append(float(rising.objective.state["ada_p"]))
        assert float(still.objective.state["ada_p"]) == 0
        assert course == pytest.approx([0, 0, 0.1, 0.1, 0.2, 0.2])
        assert rising.telemetry.means()["ada_p"] == pytest.approx(sum([0, 0, 0, 0.1, 0.1, 0.2]) / 6)


def test_p_survives_a_resume_and_a_rollback_to_the_byte(make_trainer: MakeTrainer) -> None:
    whole, other = (make_trainer("vanilla", **ada(target=-1.0)) for _ in range(2))
    for _ in range(5):
        whole.step()
    middle = checkpoint.take(whole)
    for _ in range(4):
        whole.step()
    end = checkpoint.encode(checkpoint.take(whole))
    other.step()
    for trainer in (other, whole):
        checkpoint.put_back(trainer, middle, "a checkpoint")
        assert float(trainer.objective.state["ada_p"]) == pytest.approx(0.2)
        assert float(trainer.objective.state["ada_batches"]) == 1
        for _ in range(4):
            trainer.step()
        assert checkpoint.encode(checkpoint.take(trainer)) == end


def test_parts_and_ranks_see_what_one_sees(make_trainer: MakeTrainer) -> None:
    """A part's batch is not the batch: p is moved as fast, and by the mean of all."""
    one, parts = make_trainer("vanilla", **ada(target=0.0)), make_trainer("vanilla", accumulate=4, **ada(target=0.0))
    for _ in range(9):
        one.step()
        parts.step()
    for name, value in one.objective.state.items():
        torch.testing.assert_close(parts.objective.state[name], value, rtol=1e-9, atol=1e-12)
    fresh = make_trainer("vanilla", **ada(target=0.0))
    few = fresh.batches.draw(0, 0).map(lambda tensor: tensor[:4])
    for in_parts in (False, True):
        assert shares.coupling(fresh.objective, few, in_parts=in_parts) is None


@pytest.mark.parametrize("options", [{"target": 1.5}, {"interval": 0}, {"kimg": 0.0}])
def test_options_that_make_no_sense(make_trainer: MakeTrainer, options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="target is from -1 to 1, interval at least 1, and kimg more than 0"):
        make_trainer("vanilla", augment="ada", augment_options=options)


class Observing(Unchanging):
    def observe(self, step: Step) -> None:
        step.remember("p", step.real.logits.mean())


class Failing(Observing):
    def observe(self, step: Step) -> None:
        raise ZeroDivisionError("by zero")


class Reading(Observing):
    def observe(self, step: Step) -> None:
        float(step.real.logits.mean())


class Forgetful(Observing):
    def observe(self, step: Step) -> None:
        self.last = step.real.logits.mean()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Observing, "fails for the discriminator: TypeError: step.remember('p') without a declaration in state={…}"),
        (Failing, "fails for the discriminator: ZeroDivisionError: by zero"),
        (Reading, "reads a tensor's value for the discriminator (.item(), float() or a condition on it)"),
        (Forgetful, "a resumed run would lose what the augmentation's last remembers from phase to phase"),
    ],
)
def test_one_that_breaks_its_contract(monkeypatch: pytest.MonkeyPatch, target: type[Observing], message: str) -> None:
    """Found before the first step, and named."""
    error = refused(target, monkeypatch)
    assert message in str(error)
    assert target is Forgetful or str(error).startswith("observe() of the augmentation ")
    assert error.exit_code == ExitCode.PLUGIN


class Largest(Observing):
    """What it remembers is no mean of what shares of the batch remember."""

    def observe(self, step: Step) -> None:
        step.remember("p", step.real.logits.amax())


def test_what_meets_in_what_is_observed_is_measured(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("vanilla", batch=4)
    trainer.objective.augment, trainer.objective.state = Largest(NoOptions()), {"p": torch.zeros(())}
    found = shares.coupling(trainer.objective, trainer.batches.draw(0, 0), in_parts=False)
    assert found == "the loss, or what the augmentation observes"
