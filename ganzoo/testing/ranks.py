"""The check that two ranks train what one does: in one process, where each rank is a thread."""

from functools import partial

import torch
from torch import Tensor

from ganzoo.config import PrecisionName
from ganzoo.errors import PluginError
from ganzoo.specs import Spec
from ganzoo.testing.bench import Bench
from ganzoo.training.threads import RANKS, Meeting, ThreadRanks
from ganzoo.training.trainer import Trainer

STEPS = 2

TOLERANCE = 1e-8
"""Largest relative difference in fp64: rounding is about 1e-16, and power iteration makes 1e-11 of it; samples that
meet, or numbers drawn by each rank for itself, make 1e-5 and more."""


def two_ranks(bench: Bench, spec: Spec) -> str:
    """Some steps in fp64 that two ranks share leave the weights of one process that takes them alone."""
    alone = bench.trainer(spec, precision=PrecisionName.FP64)
    meeting = Meeting()
    trainers = [
        bench.trainer(spec, ThreadRanks(rank, RANKS, meeting), precision=PrecisionName.FP64) for rank in range(RANKS)
    ]
    meeting.together([partial(_train, trainer) for trainer in trainers])
    for _ in range(STEPS):
        alone.step()
    worst = 0.0
    for role, network in (("generator", alone.generator), ("discriminator", alone.discriminator)):
        wanted = _values(network)
        shared = torch.stack([_values(getattr(trainer, role)) for trainer in trainers]).mean(0)
        worst = max(worst, difference := relative_difference(shared, wanted))
        if not difference <= TOLERANCE:  # NaN is no rounding either
            raise PluginError(
                f"after {STEPS} steps on {RANKS} ranks the {role} differs from that of one process by {difference:.2g}",
                hint="samples of a batch meet, or random numbers are drawn: declare batch_coupled, or do without",
            )
    return f"differ by {worst:.1g}"


def _train(trainer: Trainer) -> None:
    for _ in range(STEPS):
        trainer.step()


def relative_difference(values: Tensor, wanted: Tensor) -> float:
    """|values - wanted| / |wanted|."""
    return float((values - wanted).norm() / wanted.norm().clamp_min(1e-30))


def _values(network: torch.nn.Module) -> Tensor:
    """All weights and buffers, of which ranks keep the mean."""
    return torch.cat([value.flatten() for value in network.state_dict().values() if value.is_floating_point()])
