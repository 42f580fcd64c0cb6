"""Optimizers, tried on a few weights before the first step: whether they run, and whether a resume is exact."""

import torch
from torch import Tensor, nn

from ganzoo.config import PrecisionName, Schedule
from ganzoo.config.schedule import varying
from ganzoo.errors import PluginError, UsageError
from ganzoo.training.optimization import Optimization, Rule
from ganzoo.training.precision import Precision
from ganzoo.zoo.foreign import called

UPDATES = 2
"""Updates before the checkpoint, and after it."""


def rehearse(rule: Rule, lr: float | Schedule, steps: int, precision: Precision) -> Rule:
    """Update weights of each kind that networks have, and those of a resumed optimizer, which must become the same.

    Returns:
        The rule, with whether its moments may begin at zero.

    Raises:
        PluginError: the optimizer fails, or remembers something that no checkpoint holds.
        UsageError: it fails with the options of the last step.
    """
    if precision.scaled:  # the scale is of losses, and there are none here; the weights are in fp32 then, too
        precision = Precision(PrecisionName.FP32, precision.device)
    first, second, third = (_Weights(precision) for _ in range(3))
    made = Optimization(first, rule, lr, steps, precision)
    _update(made, 0)
    moments = {name: value.clone() for name, value in made.moments().items()}
    second.load_state_dict(first.state_dict())
    resumed = Optimization(second, rule, lr, steps, precision)
    resumed.load_moments(moments)
    resumed.load_state(made.state())
    from_zero = _from_zero(Optimization(third, rule, lr, steps, precision), second)
    for each in (made, resumed):
        _update(each, UPDATES)
    if not all(map(_same, first.parameters(), second.parameters())):
        raise PluginError(
            f"optimizer {rule.name!r} remembers something that no checkpoint holds: a resumed one goes on otherwise",
            hint="what it remembers belongs into optimizer.state[weight], as tensors and numbers",
        )
    try:
        _update(made, max(2 * UPDATES, steps - UPDATES))
    except PluginError as error:
        if not varying(rule.options):
            raise
        raise UsageError(
            f"the options of {rule.name} cannot change as they do in {steps:,} steps: {error}",
            hint="leave a schedule out that begins or ends at 0",
        ) from error
    return rule._replace(from_zero=from_zero)


def _from_zero(optimization: Optimization, fresh: nn.Module) -> bool:
    """Whether updates from moments of zero end where the first ones did, with ``fresh``'s weights."""
    first = [weight.detach().clone() for weight in optimization.weights]
    _update(optimization, 0)
    with torch.no_grad():
        for weight, value in zip(optimization.weights, first, strict=True):
            weight.copy_(value)
    for value in optimization.moments().values():
        value.zero_()
    optimization.load_state({})
    _update(optimization, 0)
    return all(map(_same, optimization.weights, fresh.parameters()))


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
