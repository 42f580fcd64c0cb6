"""Losses, penalties, augmentations and optimizers that break the contract in one way each, and fail in that check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganzoo import Augmentation, Loss, Optimizer, Penalty
from ganzoo.step import Step
from ganzoo.testing.running import Outcome, Result
from ganzoo.zoo.installed import Plugin

ResultOf = Callable[..., Result]


class NonSaturating:
    def discriminator(self, step: Step) -> Tensor:
        return softplus(-step.real.logits).mean() + softplus(step.fake.logits).mean()

    def generator(self, step: Step) -> Tensor:
        return softplus(-step.fake.logits).mean()


class Counting(NonSaturating):
    """Its weight depends on how often it was called, which no checkpoint holds."""

    def __init__(self) -> None:
        self.calls = count(1)

    def discriminator(self, step: Step) -> Tensor:
        return super().discriminator(step) * next(self.calls)


CALLS = count(1)


class CountingForAll(NonSaturating):
    def discriminator(self, step: Step) -> Tensor:
        return super().discriminator(step) * next(CALLS)


class Relativistic(NonSaturating):
    """Relativistic averages (Jolicoeur-Martineau, 2019) meet all samples of the batch."""

    def discriminator(self, step: Step) -> Tensor:
        return softplus(step.fake.logits.mean() - step.real.logits).mean()


class MomentMatching:
    """The mean image of the whole batch, over all ranks: there is no discriminator."""

    def generator(self, step: Step) -> Tensor:
        distance = step.mean(step.fake.images.mean((1, 2, 3))) - step.mean(step.real.images.mean((1, 2, 3)))
        return distance.square()


class Slowing(torch.optim.SGD):
    """Its rate falls with each step, which no checkpoint holds."""

    def __init__(self, weights: Any, lr: Any, calls: Any) -> None:
        super().__init__(weights, 0.1)
        self.calls = calls

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.param_groups[0]["lr"] = 0.1 / next(self.calls)
        super().step()


def slowing(weights: Any, lr: Any, options: Any) -> torch.optim.Optimizer:
    return Slowing(weights, lr, count(1))


def slowing_for_all(weights: Any, lr: Any, options: Any) -> torch.optim.Optimizer:
    return Slowing(weights, lr, CALLS)


def no_optimizer(weights: Any, lr: Any, options: Any) -> Any:
    return weights


@dataclass(frozen=True, kw_only=True)
class Options:
    pass


class Brightness:
    def __init__(self, options: Any) -> None:
        pass

    def draw(self, count: int, shape: Any, generator: torch.Generator, device: torch.device) -> Mapping[str, Tensor]:
        return {"shift": torch.rand(count, 1, 1, 1, generator=generator, device=device)}

    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return images + drawn["shift"]


class OfState(Brightness):
    def draw(self, count: int, *given: Any) -> Mapping[str, Tensor]:
        shape, generator, device, state = given
        return {"shift": state["p"] * super().draw(count, shape, generator, device)["shift"]}


class Global(Brightness):
    def draw(self, count: int, shape: Any, generator: torch.Generator, device: torch.device) -> Mapping[str, Tensor]:
        return {"shift": torch.rand(count, 1, 1, 1)}


class InPlace(Brightness):
    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return images.add_(drawn["shift"])


class Impure(Brightness):
    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return images + next(CALLS)


class Meeting(Brightness):
    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return images - images.mean(0, keepdim=True)


class _Halved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 0.5

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g


class WrongGradient(Brightness):
    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        halved: Tensor = _Halved.apply(images)  # type: ignore[no-untyped-call]
        return halved


def target(made: Callable[..., Any] | str) -> str:
    return f"{__name__}:{made if isinstance(made, str) else made.__name__}"


LOSSES = {
    "it counts": ("hidden state", Counting, "would lose what the loss's calls remembers"),
    "its module counts": ("resume", CountingForAll, "remembers something between phases that no checkpoint holds"),
    "samples meet": ("two ranks", Relativistic, "declare batch_coupled"),
}


@pytest.mark.parametrize(("check", "loss", "reason"), LOSSES.values(), ids=LOSSES)
def test_a_loss(plug: Callable[..., Plugin], result_of: ResultOf, check: str, loss: type, reason: str) -> None:
    spec = Loss(name="trap", target=target(loss))
    result = result_of(plug(spec), check, spec)
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


OPTIMIZERS = {
    "it counts": ("resume", "slowing", "remembers something that no checkpoint holds"),
    "it counts for all": ("hidden state", "slowing_for_all", "remembers something that no checkpoint holds"),
    "no optimizer": ("mixed precision", "no_optimizer", "optimizer"),
}


@pytest.mark.parametrize(("check", "name", "reason"), OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_an_optimizer(plug: Callable[..., Plugin], result_of: ResultOf, check: str, name: str, reason: str) -> None:
    spec = Optimizer(name="trap", target=target(name), options=Options)
    result = result_of(plug(spec), check, spec)
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


def test_a_loss_without_a_discriminator(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = Loss(name="trap", target=target(MomentMatching), adversarial=False)
    plugin = plug(spec)
    for check in ("mixed precision", "tracing", "two ranks", "resume", "hidden state"):
        result = result_of(plugin, check, spec)
        assert result.outcome is Outcome.PASS, result


def test_a_loss_that_reads_what_only_its_own_networks_give(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = Loss(name="trap", target=target(NonSaturating), reads=("features", "q_mean"))
    plugin = plug(spec)
    for check in ("resume", "two ranks"):
        result = result_of(plugin, check, spec)
        assert result.outcome is Outcome.NOT_RUN
        assert result.reason == "no model of the plugin trains with it, and it reads q_mean"


def test_a_loss_that_is_made_wrongly_fails_each_check(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = Loss(name="trap", target=target(NonSaturating), defaults={"btach": 8})
    plugin = plug(spec)
    for check in ("resume", "two ranks"):
        result = result_of(plugin, check, spec)
        assert result.outcome is Outcome.FAIL
        assert "loss 'trap' is made wrongly: unknown configuration key 'btach'" in result.reason


def test_a_long_warmup_hides_nothing(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    """With rates that rise from 0 over so many steps, the first ones would leave all weights as they were."""
    spec = Loss(name="trap", target=target(Relativistic), defaults={"warmup": 10**9})
    result = result_of(plug(spec), "two ranks", spec)
    assert result.outcome is Outcome.FAIL
    assert "declare batch_coupled" in result.reason


AUGMENTATIONS = {
    "torch's generator": ("draws", Global, "the same generator draws something else each time"),
    "in place": ("draws", InPlace, "it writes into the images"),
    "it counts": ("draws", Impure, "the same draws give other images each time"),
    "images meet": ("draws", Meeting, "an image is changed by the others"),
    "a wrong gradient": ("derivatives", WrongGradient, "Jacobian"),
}


@pytest.mark.parametrize(("check", "augmentation", "reason"), AUGMENTATIONS.values(), ids=AUGMENTATIONS)
def test_an_augmentation(
    plug: Callable[..., Plugin], result_of: ResultOf, check: str, augmentation: type, reason: str
) -> None:
    spec = Augmentation(name="trap", target=target(augmentation), options=Options)
    result = result_of(plug(spec), check, spec)
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


def test_an_augmentation_is_given_its_state(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = Augmentation(name="trap", target=target(OfState), options=Options, state={"p": 0.5})
    plugin = plug(spec)
    for check in ("draws", "derivatives", "resume"):
        assert result_of(plugin, check, spec).outcome is Outcome.PASS


def test_a_penalty_is_trained_with(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    class Meeting(Penalty):
        def points(self, step: Step) -> Tensor:
            return step.real.images

        def value(self, squared_norm: Tensor) -> Tensor:
            return (squared_norm - squared_norm.mean()).square()

    spec = Meeting(name="trap")
    plugin = plug(spec)
    assert "declare batch_coupled" in result_of(plugin, "two ranks", spec).reason
    assert result_of(plugin, "resume", spec).outcome is Outcome.PASS
