"""How a run's learning rates change from step to step."""

import math
from collections.abc import Callable, Mapping

from ganzoo.config import ScheduleName

CURVES: Mapping[ScheduleName, Callable[[float], float]] = {
    ScheduleName.CONSTANT: lambda part: 1.0,
    ScheduleName.LINEAR: lambda part: 1.0 - part,
    ScheduleName.COSINE: lambda part: (1.0 + math.cos(math.pi * part)) / 2,
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
    return CURVES[schedule](min(1.0, (step - warmup) / max(1, steps - warmup)))
