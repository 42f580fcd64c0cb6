"""The axis of a chart: which values it spans, where each has its place, and which are labelled."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

HUGE = 1e100
"""Largest absolute value that is drawn; a larger one is left out, as infinity is."""

LOGARITHMIC_FROM = 100
"""Least ratio of the largest value to the smallest, all positive, at which an axis is logarithmic."""

MARGIN = 0.04
"""Share of an axis that stays free above the values, and below them."""

FLAT = 1e-6
"""Values that differ by less than this share of the largest are drawn as equal: labels could not tell them apart."""

UNITS = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))
"""(value that the largest label must reach, unit, suffix) of shortened labels: 8,000, but 80k."""


def drawable(value: object) -> float | None:
    """``value`` as a number that a chart can show; None: it is a gap."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= HUGE else None  # NaN compares as False


@dataclass(frozen=True)
class Scale:
    """Places values on an axis.

    Args:
        low, high: the ends; where it is logarithmic, their logarithms to base 10.
        logarithmic: whether values are placed by their logarithms.
    """

    low: float
    high: float
    logarithmic: bool = False

    @classmethod
    def of_steps(cls, steps: Iterable[float]) -> "Scale":
        """An axis from step 0, or the first step if that is below 0, to the last step."""
        found = list(steps)
        low, high = min([0.0, *found]), max([0.0, *found])
        return cls(low, max(high, low + 1.0))

    @classmethod
    def of_values(cls, values: Iterable[float]) -> "Scale":
        """An axis of ``values``, logarithmic if all are positive and span decades."""
        found = list(values) or [0.0]
        low, high = min(found), max(found)
        logarithmic = low > 0 and high / low >= LOGARITHMIC_FROM
        if logarithmic:
            low, high = math.log10(low), math.log10(high)
        size = max(abs(low), abs(high))
        if high - low <= FLAT * size or size < 1 / HUGE:
            if size <= 1 / HUGE:  # all 0: most likely a share, or something else that is not negative
                return cls(-MARGIN, 1 + MARGIN)
            return cls(low - 0.05 * size, high + 0.05 * size)
        pad = MARGIN * (high - low)
        return cls(low - pad, high + pad, logarithmic)

    def place(self, value: float) -> float:
        """Where ``value`` lies on the axis: 0 at the low end, 1 at the high one."""
        position = math.log10(value) if self.logarithmic else value
        return (position - self.low) / (self.high - self.low)

    def ticks(self, count: int) -> list[tuple[float, str]]:
        """At most ``count`` + 1 round values within the axis: (place, label)."""
        step = _round_step((self.high - self.low) / count)
        if self.logarithmic:
            step = max(1.0, round(step))  # whole decades
        multiples = range(math.ceil(self.low / step), math.floor(self.high / step) + 1)
        values = [multiple * step for multiple in multiples]
        places = [(value - self.low) / (self.high - self.low) for value in values]
        labels = [_exponent(10.0**value, 0) for value in values] if self.logarithmic else _labels(values, step)
        return list(zip(places, labels, strict=True))


def _round_step(rough: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least ``rough``."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next((times * power for times in (1, 2, 5) if times * power >= rough), 10 * power)


def _labels(values: list[float], step: float) -> list[str]:
    """Labels with the decimals that the step needs, thousands with a suffix, or exponents where neither is short."""
    largest = max(map(abs, values), default=0.0)
    if largest >= 1e13 or step < 1e-4:
        return [_exponent(value, max(0, math.ceil(math.log10(largest / step)))) for value in values]
    unit, suffix = next(((unit, suffix) for start, unit, suffix in UNITS if largest >= start), (1.0, ""))
    decimals = max(0, -math.floor(math.log10(step / unit) + 1e-9))
    return [f"{value / unit:,.{decimals}f}{suffix}" if value else "0" for value in values]


def _exponent(value: float, decimals: int) -> str:
    """``0.01``, ``1``, ``100``; beyond that ``1e-5``."""
    if 1e-3 <= value < 1e4 and not decimals:
        return f"{value:g}"
    digits, _, power = f"{value:.{decimals}e}".partition("e")
    return f"{digits}e{int(power)}" if value else "0"
