"""Puts into one line why a network cannot be exported; torch's own errors are pages of advice with escape codes."""

import re
from collections.abc import Iterator

from ganzoo.errors import GanzooError, blamed_place, described, message

LONGEST = 200
"""Most characters of what torch is quoted with."""

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_FIXED = re.compile(r"specialized it to be a constant \((\d+)\)")
_GUARD = re.compile(r"satisfy the generated guard (.+)")
_SIZE = re.compile(r"L\[.*?\]\.size\(\)\[0\]")
_MISSING = re.compile(r"No ONNX function found for <OpOverload\(op='(?:aten|prims)\.([\w.]+)'")

_SIZES = "take the batch's size as z.shape[0] and give that to torch: len(z), int(z.shape[0]) and loops over z fix it"


class UnexportableError(GanzooError):
    """The network itself stands in the way of its export, and not the machine."""


def explained(what: str, error: Exception) -> GanzooError:
    """The error to raise for one of torch's exporter.

    Args:
        what: names the network in the message.
    """
    chain = list(_causes(error))
    if ours := next((each for each in chain if isinstance(each, OSError | MemoryError)), None):
        return GanzooError(f"torch could not convert the {what} to ONNX here: {described(ours)}")
    text = "\n".join(message(each) for each in chain)
    place = next(filter(None, map(blamed_place, reversed(chain))), "")
    if fixed := _FIXED.search(text):
        return UnexportableError(
            f"the {what} would take batches of {fixed[1]} only: its forward makes a plain number of the batch's size",
            hint=_SIZES,
        )
    if guard := _GUARD.search(text):
        condition = _SIZE.sub("batch", guard[1]).rstrip(".")
        return UnexportableError(f"the {what} takes some sizes of a batch only: {condition[:LONGEST]}", hint=_SIZES)
    if any(type(each).__name__ == "GuardOnDataDependentSymNode" for each in chain):
        return UnexportableError(
            f"the {what}'s forward looks at a tensor's value in Python{place}: an if, an assert, int() or bool()",
            hint="torch.where chooses without looking; a check can stand behind `if self.training:`",
        )
    if "SymbolicTensor" in text:
        return UnexportableError(
            f"the {what} gives an operator the batch's size as a setting, which ONNX fixes: groups=z.shape[0], say",
            hint="scale what goes into a shared convolution and what comes out, instead of its weights for each image",
        )
    if missing := _MISSING.search(text):
        return UnexportableError(
            f"ONNX has no operator for torch's {missing[1]}, which the {what} uses",
            hint="write it in other operations",
        )
    reason = _ESCAPE.sub("", described(chain[-1]))
    return UnexportableError(
        f"torch cannot convert the {what} to ONNX: {reason[:LONGEST]}{place}",
        hint="its forward must be operations of torch on tensors of any batch; GANZOO_DEBUG=1 shows all of the error",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, what it was raised from, what that was raised from …"""
    seen: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and found not in seen:
        seen.append(found)
        yield found
        found = found.__cause__
