"""The check that two ranks train what one does: in one process, where each rank is a thread."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ganzoo.config import PrecisionName
from ganzoo.errors import PluginError
from ganzoo.specs import Spec
from ganzoo.testing.bench import Bench
from ganzoo.training.ranks import Ranks
from ganzoo.training.trainer import Trainer

STEPS = 2
RANKS = 2
PATIENCE_SECONDS = 60.0
"""How long a rank waits for the other, which may have failed."""

TOLERANCE = 1e-8
"""Largest relative difference in fp64: rounding is about 1e-16, and power iteration makes 1e-11 of it; samples that
meet, or numbers drawn by each rank for itself, make 1e-5 and more."""


class Meeting:
    """Where the threads of one process exchange what ranks tell each other; closed, each rank is alone with itself.

    While a trainer is made it is closed, because trainers are made one after the other: torch's own generator, from
    which initial weights come, is one for all threads.
    """

    def __init__(self) -> None:
        self.open = False
        self._barrier = threading.Barrier(RANKS, timeout=PATIENCE_SECONDS)
        self._told: list[Any] = [None] * RANKS

    def exchange(self, rank: int, value: Any) -> list[Any]:
        """What each rank tells, the same on all of them."""
        if not self.open:
            return [value] * RANKS
        self._told[rank] = value
        self._barrier.wait()
        told = list(self._told)
        self._barrier.wait()
        return told

    def __deepcopy__(self, memory: dict[int, Any]) -> "Meeting":
        """Itself: a copy of a network, which a rehearsal makes, is on the same rank."""
        return self

    def leave(self) -> None:
        """Let nobody wait any longer: a rank has failed."""
        self._barrier.abort()


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


def two_ranks(bench: Bench, spec: Spec) -> str:
    """Some steps in fp64 that two ranks share leave the weights of one process that takes them alone."""
    alone = bench.trainer(spec, precision=PrecisionName.FP64)
    meeting = Meeting()
    trainers = [
        bench.trainer(spec, ThreadRanks(rank, RANKS, meeting), precision=PrecisionName.FP64) for rank in range(RANKS)
    ]
    meeting.open = True
    with ThreadPoolExecutor(RANKS) as pool:
        errors = [each.exception() for each in [pool.submit(_train, trainer, meeting) for trainer in trainers]]
    # A rank that waited for one that failed says only that.
    for error in sorted(filter(None, errors), key=lambda error: isinstance(error, threading.BrokenBarrierError)):
        raise error
    for _ in range(STEPS):
        alone.step()
    worst = 0.0
    for role, network in (("generator", alone.generator), ("discriminator", alone.discriminator)):
        wanted = _values(network)
        shared = torch.stack([_values(getattr(trainer, role)) for trainer in trainers]).mean(0)
        worst = max(worst, difference := float((shared - wanted).norm() / wanted.norm().clamp_min(1e-30)))
        if not difference <= TOLERANCE:  # NaN is no rounding either
            raise PluginError(
                f"after {STEPS} steps on {RANKS} ranks the {role} differs from that of one process by {difference:.2g}",
                hint="samples of a batch meet, or random numbers are drawn: declare batch_coupled, or do without",
            )
    return f"differ by {worst:.1g}"


def _train(trainer: Trainer, meeting: Meeting) -> None:
    try:
        for _ in range(STEPS):
            trainer.step()
    except BaseException:
        meeting.leave()
        raise


def _values(network: torch.nn.Module) -> Tensor:
    """All weights and buffers, of which ranks keep the mean."""
    return torch.cat([value.flatten() for value in network.state_dict().values() if value.is_floating_point()])
