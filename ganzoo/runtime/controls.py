"""What a control's value means: the one way from what was typed to a number, for Python, command line and HTTP."""

import re
from collections.abc import Iterable, Mapping
from numbers import Real

from ganzoo.controls import Control
from ganzoo.errors import UsageError, did_you_mean

Value = float | str

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


def control_values(given: Mapping[str, Value], controls: Mapping[str, Control], model: str) -> dict[str, float]:
    """The value of each control: the one that is given, as a number or as its digits, or else its default.

    Args:
        given: some of the controls -> what was typed.
        controls: all of them.
        model: names the model in messages.

    Raises:
        UsageError: there is no such control, or a value is no number within its range.
    """
    for name in given:
        if name not in controls:
            hint = did_you_mean(name, controls) if controls else "leave it out"
            raise UsageError(f"{model} has no control {name!r}", hint=hint)
    return {
        name: _checked(name, given[name], each) if name in given else each.default for name, each in controls.items()
    }


def pairs(texts: Iterable[str]) -> dict[str, Value]:
    """Controls as they are typed on the command line: ``NAME=VALUE`` each.

    Raises:
        UsageError: one of them is no such pair, or a name comes twice.
    """
    found: dict[str, Value] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"--control {text!r} is no NAME=VALUE", hint="for example --control truncation=0.7")
        if name in found:
            raise UsageError(f"the control {name!r} is given twice", hint="give it once")
        found[name] = value
    return found


def _checked(name: str, value: object, control: Control) -> float:
    number = _number(value)
    if number is None or not control.low <= number <= control.high:  # NaN is not, either
        raise UsageError(
            f"{name} must be a number from {control.low:g} to {control.high:g}, not {value!r}",
            hint=f"{name}={control.default:g} is the default",
        )
    return number


def _number(value: object) -> float | None:
    """A number, be it Python's, NumPy's or in digits; stricter than ``float``, which takes ``1_0`` and ``nan``, too."""
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
