"""Optimizers, tried on a few weights before the first step: whether they run, and whether a resume is exact."""

import torch
from torch import Tensor, nn

from ganzoo.config import PrecisionName, Schedule
from ganzoo.errors import PluginError
from ganzoo.training.optimization import Optimization, Rule
from ganzoo.training.precision import Precision
from ganzoo.zoo.foreign import called

UPDATES = 2
"""Updates before the checkpoint, and after it."""


def rehearse(rule: Rule, lr: float | Schedule, steps: int, precision: Precision) -> None:
    """Update weights of each kind that networks have, and those of a resumed optimizer, which must become the same.

    Raises:
        PluginError: the optimizer fails, or remembers something that no checkpoint holds.
    """
    if precision.scaled:  # the scale is of losses, and there are none here; the weights are in fp32 then, too
        precision = Precision(PrecisionName.FP32, precision.device)
    first, second = _Weights(precision), _Weights(precision)
    made = Optimization(first, rule, lr, steps, precision)
    _update(made, 0)
    moments = {name: value.clone() for name, value in made.moments().items()}
    second.load_state_dict(first.state_dict())
    resumed = Optimization(second, rule, lr, steps, precision)
    resumed.load_moments(moments)
    resumed.load_state(made.state())
    for each in (made, resumed):
        _update(each, UPDATES)
    if not all(map(_same, first.parameters(), second.parameters())):
        raise PluginError(
            f"optimizer {rule.name!r} remembers something that no checkpoint holds: a resumed one goes on otherwise",
            hint="what it remembers belongs into optimizer.state[weight], as tensors and numbers",
        )


class _Weights(nn.Module):
    """A bias, a matrix and a convolution's weights."""

    def __init__(self, precision: Precision) -> None:
        super().__init__()
        shapes = ([4], [4, 3], [4, 3, 2, 2])
        self.weights = nn.ParameterList(
            torch.linspace(-1, 1, torch.Size(shape).numel(), dtype=precision.master, device=precision.device).view(
                shape
            )
            for shape in shapes
        )


def _update(optimization: Optimization, first: int) -> None:
    for number in range(first, first + UPDATES):
        for weight in optimization.weights:
            weight.grad = torch.sin(3 * weight.detach() + number)
        torch.random.manual_seed(number)  # of what the optimizer draws
        optimization.set_rate(1.0, number)
        called(f"optimizer {optimization.rule!r}", optimization.step)


def _same(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one, other) if one.device.type == "cpu" else torch.allclose(one, other)
