"""What changes from step to step by a schedule: learning rates, and numbers that losses and graphs read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from ganzoo.config import Schedule, ScheduleName
from ganzoo.config.schedule import CURVES, varying, with_values

T = TypeVar("T")

RATES: Mapping[ScheduleName, Callable[[float], float]] = {
    ScheduleName.CONSTANT: lambda part: 1.0,
    ScheduleName.LINEAR: CURVES[ScheduleName.LINEAR],
    ScheduleName.COSINE: CURVES[ScheduleName.COSINE],
}
"""Curves: part of the way from the end of the warm-up to the end of the run, 0 to 1 -> share of the full rate."""


def factor(schedule: ScheduleName, step: int, steps: int, warmup: int) -> float:
    """Share of the configured learning rate in one step.

    (s + 1) / (W + 1) in step s of a warm-up of W steps, so that no step is without effect; 1 in step W; from there
    the curve, which ends with 0 in step ``steps``, the first one that is not taken.

    Args:
        schedule: names the curve.
        step: finished steps, at least 0.
        steps: steps of the whole run, at least 1.
        warmup: W, at least 0.

    Returns:
        0 to 1.
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return RATES[schedule](min(1.0, (step - warmup) / max(1, steps - warmup)))


@dataclass(eq=False)
class Clock:
    """Numbers that change from step to step, each a scalar tensor that stays in place: a CUDA graph reads it there.

    Args:
        steps: steps of the whole run.
        progress: share of the run that is over.
        read: whether something reads ``progress``, which depends on the number of steps.
    """

    steps: int
    progress: Tensor
    read: bool = False
    _varying: list[tuple[Tensor, Schedule]] = field(default_factory=list)

    def number(self, value: float | Schedule) -> float | Tensor:
        """The value as it is, or, of a schedule, the tensor that has its value in each step."""
        if not isinstance(value, Schedule):
            return value
        tensor = torch.full_like(self.progress, value.at(0, self.steps))
        self._varying.append((tensor, value))
        return tensor

    def numbers(self, options: T) -> T:
        """Options with such tensors in the place of all schedules among their fields."""
        return with_values(options, {key: self._numbers(value) for key, value in varying(options).items()})

    def _numbers(self, value: Any) -> Any:
        return tuple(map(self._numbers, value)) if isinstance(value, tuple) else self.number(value)

    def set(self, step: int) -> None:
        """Make every number what it is in ``step``, of those that change at all."""
        self.progress.fill_(min(1.0, step / self.steps))
        for tensor, schedule in self._varying:
            tensor.fill_(schedule.at(step, self.steps))
