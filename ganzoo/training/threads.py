"""Ranks that are threads of one process: to find out, without starting processes, what several ranks would compute."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from ganzoo.training.ranks import Ranks

T = TypeVar("T")

RANKS = 2

PATIENCE_SECONDS = 60.0
"""How long a rank waits for the other, which may have failed."""


class Meeting:
    """Where the threads of one process exchange what ranks tell each other; closed, each rank is alone with itself.

    Only one of them computes at a time, until it waits for the other, and each has the state of torch's own generator
    to itself, as processes have: it is one for all threads, and networks draw dropout and noise from it. While a
    trainer is made it is closed, because trainers are made one after the other.
    """

    def __init__(self) -> None:
        self.open = False
        self._turn = threading.Lock()
        self._barrier = threading.Barrier(RANKS, timeout=PATIENCE_SECONDS)
        self._told: list[Any] = [None] * RANKS

    def exchange(self, rank: int, value: Any) -> list[Any]:
        """What each rank tells, the same on all of them."""
        if not self.open:
            return [value] * RANKS
        self._told[rank] = value
        drawn = torch.get_rng_state()
        self._turn.release()
        try:
            self._barrier.wait()
            told = list(self._told)
            self._barrier.wait()
        finally:
            self._turn.acquire()
            torch.set_rng_state(drawn)
        return told

    def __deepcopy__(self, memory: dict[int, Any]) -> "Meeting":
        """Itself: a copy of a network, which a rehearsal makes, is on the same rank."""
        return self

    def together(self, computations: Sequence[Callable[[], T]]) -> list[T]:
        """Run one computation a rank, all from the same state of torch's generator.

        Raises:
            Exception: what a rank raised; one that waited for it says nothing of its own.
        """
        self.open, drawn = True, torch.get_rng_state()
        with ThreadPoolExecutor(RANKS) as threads:
            ended = [threads.submit(self._guarded, compute, drawn) for compute in computations]
        self.open = False
        errors = [error for each in ended if (error := each.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, threading.BrokenBarrierError)):
            raise error
        return [each.result() for each in ended]

    def _guarded(self, compute: Callable[[], T], drawn: Tensor) -> T:
        with self._turn:
            torch.set_rng_state(drawn)
            try:
                return compute()
            except BaseException:
                self._barrier.abort()  # nobody waits any longer
                raise


@dataclass(frozen=True)
class ThreadRanks(Ranks):
    """Ranks that are threads; see ``Ranks``."""

    meeting: Meeting = field(default_factory=Meeting)

    @torch.no_grad()
    def broadcast_(self, tensors: Sequence[Tensor]) -> None:
        """See ``Ranks``."""
        for mine, first in zip(tensors, self._all([tensor.clone() for tensor in tensors])[0], strict=True):
            mine.copy_(first)

    @torch.no_grad()
    def sum_(self, tensor: Tensor) -> None:
        """See ``Ranks``."""
        tensor.copy_(torch.stack(self._all(tensor.clone())).sum(0))

    def gather(self, tensor: Tensor) -> Tensor:
        """See ``Ranks``."""
        return torch.stack(self._all(tensor.clone()))

    def any(self, flag: bool) -> bool:
        """See ``Ranks``."""
        return any(self._all(flag))

    def share(self, value: Any) -> Any:
        """See ``Ranks``."""
        return self._all(value)[0]

    def _all(self, value: Any) -> list[Any]:
        return self.meeting.exchange(self.rank, value)
