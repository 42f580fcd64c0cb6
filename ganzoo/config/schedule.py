"""``Schedule``: how a number of the configuration changes in the course of a run, a function of the step alone."""

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import msgspec

T = TypeVar("T")


class ScheduleName(StrEnum):
    """How the learning rates fall from the end of the warm-up to the last step."""

    CONSTANT = "constant"
    LINEAR = "linear"
    COSINE = "cosine"


class CurveName(StrEnum):
    """How a number goes from one value to another; ``step`` keeps the one until the end, and then has the other."""

    LINEAR = "linear"
    COSINE = "cosine"
    STEP = "step"


CURVES: Mapping[str, Callable[[float], float]] = {
    CurveName.LINEAR: lambda part: 1.0 - part,
    CurveName.COSINE: lambda part: (1.0 + math.cos(math.pi * part)) / 2,
    CurveName.STEP: lambda part: float(part < 1),
}
"""Curves: part of the way, 0 to 1 -> share of the first value that is left, 1 to 0."""

Finite = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
Until = (
    Annotated[int, msgspec.Meta(ge=1)]
    | Annotated[str, msgspec.Meta(pattern=r"^(?=.*[1-9])(100(\.0+)?|[1-9]?\d(\.\d+)?)%\Z")]
)


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from"}):
    """A number that goes from one value to another; a table ``{from, to, until, curve}`` in the configuration.

    Args:
        start: the value in step 0; ``from`` in tables, which Python keeps for itself.
        to: the value from step ``until`` on.
        until: a number of steps, at least 1, or a share of the run such as ``"40%"``. The last step of a run of N is
            number N - 1, so at ``"100%"`` it comes as close to ``to`` as the step before it would have been.
        curve: see ``CurveName``.
    """

    start: Finite
    to: Finite
    until: Until = "100%"
    curve: CurveName = CurveName.LINEAR

    def end(self, steps: int) -> float:
        """The step from which on it has its last value, in a run of ``steps`` steps; more than 0."""
        if isinstance(self.until, str):
            return max(float(self.until.rstrip("%")) / 100 * steps, 1e-9)
        return self.until

    def at(self, step: int, steps: int) -> float:
        """Its value in one step of a run of ``steps`` steps."""
        share = CURVES[self.curve](min(1.0, step / self.end(steps)))
        return share * self.start + (1 - share) * self.to


def at(value: float | Schedule, step: int, steps: int) -> float:
    """The value in one step of what may be a number or a schedule."""
    return value.at(step, steps) if isinstance(value, Schedule) else value


def largest(value: float | Schedule) -> float:
    """The largest value that a number or a schedule has."""
    return max(value.start, value.to) if isinstance(value, Schedule) else value


def varying(options: Any) -> dict[str, Any]:
    """The fields of an options dataclass that are schedules, or tuples with one among them."""
    values = {field.name: getattr(options, field.name) for field in fields(options)}
    return {name: value for name, value in values.items() if _varies(value)}


def with_values(options: T, values: Mapping[str, Any]) -> T:
    """A copy of an options dataclass with other values, past its own checks: what varies is no float.

    The checks were made with the numbers at both ends of each schedule.
    """
    if not values:
        return options
    copied = copy.copy(options)
    for name, value in values.items():
        object.__setattr__(copied, name, value)
    return copied


def _varies(value: object) -> bool:
    return isinstance(value, Schedule) or (isinstance(value, tuple) and any(map(_varies, value)))
