"""``Control``: a number that is chosen when images are sampled. Light: plugins declare it, and servers read it."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Control:
    """A number that is chosen when images are sampled, such as truncation: the same one for all images of a call.

    Args:
        default: what it is in training, and unless it is given.
        low, high: the least and the greatest value that it may have.
    """

    default: float
    low: float = 0.0
    high: float = 1.0


TAKEN_NAMES = frozenset(
    (
        *("z", "labels", "images"),
        *("n", "seed", "label", "start", "format", "control", "controls", "to", "steps"),
        *("reference", "count", "per_class", "output", "each", "shards", "film", "latents"),
        *("device", "int8", "registry", "quiet"),
    )
)
"""Names that no control may have: what sampling takes already, in the graph, from Python, as options and over HTTP."""

MOST_CONTROLS = 8

_CONTROL_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LARGEST = 3.4e38  # of float32, in which the graph takes it


def fault_of_control(name: object, control: object) -> str | None:
    """What is wrong with a control, in words; None: nothing. A plugin declares them, and a file's card lists them."""
    if not isinstance(name, str) or not _CONTROL_NAME.fullmatch(name):
        return f"the name {name!r:.60} is not lower-case letters, digits and _, at most 40"
    if name in TAKEN_NAMES:
        return f"the name {name!r} means something else when sampling"
    if not isinstance(control, Control):
        return f"{name!r} is neither a number nor a Control"
    numbers = (control.low, control.default, control.high)
    if any(type(number) not in (int, float) or not abs(number) <= _LARGEST for number in numbers):
        return f"{name!r} has a default or an end that is not a finite number"
    if control.low == control.high:
        return f"{name!r} has nothing to choose: it goes from {control.low:g} to {control.high:g}"
    if not control.low <= control.default <= control.high:
        return f"{name!r} is {control.default:g} by default, which is not within {control.low:g} to {control.high:g}"
    return None
