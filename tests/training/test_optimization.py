"""One network's Adam: what it moves, and by how much."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ganzoo.config import PrecisionName
from ganzoo.training.optimization import Optimization, Rule
from ganzoo.training.precision import Precision
from ganzoo_plugins.optimizers import AdamOptions, optimizers

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
