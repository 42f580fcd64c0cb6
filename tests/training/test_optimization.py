"""One network's Adam: what it moves, and by how much."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from ganzoo.config import PrecisionName
from ganzoo.training.optimization import Make, Optimization, Rule
from ganzoo.training.precision import Precision
from ganzoo_plugins.optimizers import AdamOptions, RMSpropOptions, SGDOptions, optimizers

CPU = torch.device("cpu")
STEPS = 5
ADAM = Rule("adam", optimizers.adam, AdamOptions(betas=(0.5, 0.99)))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


def trained(
    step: Callable[[int], None], module: nn.Sequential, steps: int = STEPS, skipped: int | None = None
) -> list[torch.Tensor]:
    """The weights after some steps, in which one weight has no gradient in step ``skipped``."""
    for number in range(steps):
        for weight in module.parameters():
            weight.grad = torch.sin(weight.detach() + number)
        if number == skipped:
            module[1].bias.grad = None
        step(number)
    return [weight.detach().clone() for weight in module.parameters()]


def rates(number: int) -> float:
    return 0.1 * (number + 1)


@pytest.mark.parametrize("skipped", [None, 0, 3])
@pytest.mark.parametrize("capturable", [False, True])
def test_updates_are_adams_to_the_bit(skipped: int | None, capturable: bool) -> None:
    """With its changing rate, and where a weight has no gradient, at first or later."""
    lr = 0.01
    mine, theirs = network(), network()
    optimization = Optimization(mine, ADAM, lr, STEPS, Precision(PrecisionName.FP32, CPU), capturable)
    rate = torch.tensor(lr) if capturable else lr
    adam = torch.optim.Adam(theirs.parameters(), lr=rate, betas=(0.5, 0.99), fused=True, capturable=capturable)

    def reference(number: int) -> None:
        if capturable:
            adam.param_groups[0]["lr"].fill_(lr * rates(number))
        else:
            adam.param_groups[0]["lr"] = lr * rates(number)
        adam.step()

    def step(number: int) -> None:
        optimization.set_rate(rates(number), number)
        optimization.step()

    found, expected = trained(step, mine, skipped=skipped), trained(reference, theirs, skipped=skipped)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
    states = [
        adam.state[weight] for adam in (optimization._optimizer, adam) for weight in adam.param_groups[0]["params"]
    ]
    for one, other in zip(states[: len(found)], states[len(found) :], strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_nothing_to_move() -> None:
    """A critic that is all frozen, say."""
    module = network()
    optimization = Optimization(module, ADAM, 0.01, STEPS, Precision(PrecisionName.FP32, CPU))
    before = [weight.detach().clone() for weight in module.parameters()]
    optimization.clear()
    optimization.step()
    assert all(torch.equal(*pair) for pair in zip(module.parameters(), before, strict=True))


WITH: dict[str, Any] = {"betas": (0.5, 0.999), "weight_decay": 0.1, "fused": True}
OTHERS: dict[str, tuple[Make, Any, Callable[..., torch.optim.Optimizer]]] = {
    "adamw": (optimizers.adamw, AdamOptions(weight_decay=0.1), partial(torch.optim.AdamW, **WITH)),
    "decayed": (optimizers.adam, AdamOptions(weight_decay=0.1), partial(torch.optim.Adam, **WITH)),
    "rmsprop": (
        optimizers.rmsprop,
        RMSpropOptions(alpha=0.9, momentum=0.5),
        partial(torch.optim.RMSprop, alpha=0.9, momentum=0.5),
    ),
    "sgd": (
        optimizers.sgd,
        SGDOptions(momentum=0.9, nesterov=True),
        partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    ),
    "plain-sgd": (optimizers.sgd, SGDOptions(), torch.optim.SGD),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_optimizers_are_torchs_and_resume(name: str) -> None:
    """To the bit; also by the moments of another after the third update."""
    make, options, reference = OTHERS[name]
    rule = Rule(name, make, options)

    def optimization(module: nn.Module) -> Optimization:
        return Optimization(module, rule, 0.01, STEPS, Precision(PrecisionName.FP32, CPU))

    mine, theirs, third = network(), network(), network()
    own, torchs = optimization(mine), reference(list(theirs.parameters()), lr=0.01)
    found = trained(lambda _: own.step(), mine, steps=3)
    trained(lambda _: torchs.step(), theirs, steps=3)
    third.load_state_dict(mine.state_dict())
    resumed = optimization(third)
    resumed.load_moments({key: value.clone() for key, value in own.moments().items()})
    resumed.load_state(own.state())
    trained(lambda _: own.step(), mine, steps=3)
    trained(lambda _: torchs.step(), theirs, steps=3)
    trained(lambda _: resumed.step(), third, steps=3)
    weights = zip(mine.parameters(), theirs.parameters(), third.parameters(), found, strict=True)
    for one, other, again, before in weights:
        assert torch.equal(one, other)
        assert torch.equal(one, again)
        assert not torch.equal(one, before)


class Counting(torch.optim.Optimizer):
    """Sign descent that slows down: numbers of its own by weight and by group."""

    def __init__(self, weights: list[nn.Parameter], lr: float) -> None:
        super().__init__(weights, {"lr": lr, "taken": 0, "distance": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            group["taken"] += 1
            group["distance"] += 0.5
            for weight in group["params"]:
                if weight.grad is not None:
                    state = self.state[weight]
                    state["seen"] = state.get("seen", 0) + 1
                    state["share"] = 1 / state["seen"] + group["distance"]
                    weight.sub_(weight.grad.sign() * group["lr"] * state["share"] / group["taken"])


def test_an_optimizer_that_counts_resumes() -> None:
    rule = Rule("counting", lambda weights, lr, _: Counting(weights, float(lr)), SGDOptions())
    one, other = network(), network()
    first = Optimization(one, rule, 0.01, STEPS, Precision(PrecisionName.FP32, CPU))
    trained(lambda _: first.step(), one, steps=2)
    other.load_state_dict(one.state_dict())
    second = Optimization(other, rule, 0.01, STEPS, Precision(PrecisionName.FP32, CPU))
    second.load_moments(first.moments())
    second.load_state(first.state())
    trained(lambda _: first.step(), one, steps=2)
    trained(lambda _: second.step(), other, steps=2)
    assert all(torch.equal(*pair) for pair in zip(one.parameters(), other.parameters(), strict=True))
    kept = {key: float(value) for key, value in second.moments().items()}
    assert kept["0.weight.seen#number"] == 4
    assert first.state() == second.state() == {"group.0.taken": 4.0, "group.0.distance": 2.0}


def test_one_that_a_graph_cannot_hold_is_made_with_a_plain_rate() -> None:
    """Its step is taken outside."""
    made: list[object] = []

    def make(weights: list[nn.Parameter], lr: float | torch.Tensor, options: object) -> torch.optim.Optimizer:
        made.append(lr)
        return torch.optim.SGD(weights, float(lr))

    rule, precision = Rule("sgd", make, SGDOptions()), Precision(PrecisionName.FP32, CPU)
    optimization = Optimization(network(), rule, 0.01, 1, precision, True)
    assert not optimization.in_graph
    assert optimization.left_out == "it does not keep its state on the device"
    assert [type(rate) for rate in made] == [torch.Tensor, float]
    assert Optimization(network(), ADAM, 0.01, 1, precision, True).in_graph


def test_weights_are_constrained_after_each_update() -> None:
    class Clipped(nn.Linear):
        def constrain(self) -> None:
            assert not torch.is_grad_enabled()
            for weight in self.parameters():
                weight.clamp_(-0.1, 0.1)

    module = Clipped(3, 2)
    optimization = Optimization(module, ADAM, 0.5, 1, Precision(PrecisionName.FP32, CPU))
    module(torch.ones(4, 3)).sum().backward()
    optimization.step()
    assert all(weight.abs().max() <= 0.1 for weight in module.parameters())
