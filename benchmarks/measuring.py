"""Measures steps of different programs in turn in one process, so that a slow moment of the machine meets them all."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

WARM_UP = 3
"""First rounds, which are not counted."""


@dataclass(frozen=True)
class Contestant:
    """A program that is measured.

    Args:
        step: takes one step, which may still be under way on the device when the call returns.
        switches: context that the steps run in, entered outside the measured time.
        flops: floating-point operations of a step, if they were counted.
    """

    name: str
    step: Callable[[], object]
    switches: Callable[[], AbstractContextManager[object]] = nullcontext
    flops: int = 0


def in_turn(contestants: Sequence[Contestant], rounds: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds per step of each contestant, round by round."""
    # Not after each step: a program may prepare its next step while the device works.
    steps = 1 if device.type == "cpu" else 20
    seconds: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    for number in range(-WARM_UP, rounds):
        for contestant in contestants:
            with contestant.switches():
                wait(device)
                begin = time.perf_counter()
                for _ in range(steps):
                    contestant.step()
                wait(device)
                if number >= 0:
                    seconds[contestant.name].append((time.perf_counter() - begin) / steps)
    return seconds


def ratio(reference: Sequence[float], taken: Sequence[float]) -> float:
    """How many times as fast as the reference a program is: the median over rounds."""
    return statistics.median(map(lambda theirs, ours: theirs / ours, reference, taken))


def wait(device: torch.device) -> None:
    """Wait until the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def counting() -> Iterator["Flops"]:
    """Count what runs inside; compiled code and graphs hide theirs, so count an eager step."""
    with Flops() as flops:  # type: ignore[no-untyped-call]
        yield flops


class Flops(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Floating-point operations of convolutions and matrix products, a multiplication with its addition as two.

    torch's own counter breaks on a gradient with respect to a leaf that a module was given, as a penalty takes it.
    """

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, and count it if it is one that counts."""
        result = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func._overloadpacket):
            self.total += count(*args, **(kwargs or {}), out_val=result)
        return result
