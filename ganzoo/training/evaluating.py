"""Evaluation during training: when it is due, what it is given, and which weights are kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch

from ganzoo.latents import pixels
from ganzoo.records.best import Ranking
from ganzoo.records.run import Run
from ganzoo.training.trainer import Trainer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganzoo.training.saving import Saver

    Sampler = Callable[[int, int], tuple[NDArray[np.uint8], NDArray[np.int64] | None]]
    """(start, count) -> uint8 [count, C, H, W] of one sample seed, and labels [count] where the networks take them."""

SEED = 0
"""Seed of the samples that are evaluated: the first of those that ``ganzoo eval`` takes."""


@dataclass(frozen=True)
class Evaluating:
    """How a training evaluates.

    Args:
        protocol: key of the protocol; only evaluations by one protocol can be ranked.
        figures: sampler -> the figures of its images, by name.
        ranking: which evaluation is the best.
        labels: the training images' labels, from which those of the samples are drawn; None where there are none.
    """

    protocol: str
    figures: "Callable[[Sampler], Mapping[str, float]]"
    ranking: Ranking
    labels: "NDArray[np.int64] | None" = None


def sampler(
    trainer: Trainer, seed: int = SEED, pool: "NDArray[np.int64] | None" = None, label: int | None = None
) -> "Sampler":
    """Images of the averaged generator, as the exported file will make them.

    Args:
        pool, label: labels to draw from, or the only one; see ``ganzoo.latents.pixels``.
    """
    generator = trainer.ema.generator
    weight = next(generator.parameters())  # has the device and the type that z must have

    @torch.no_grad()
    def forward(z: "NDArray[np.float32]", labels: "NDArray[np.int64] | None") -> "NDArray[np.float32]":
        y = None if labels is None else torch.from_numpy(labels).to(weight.device)
        images: NDArray[np.float32] = generator(torch.from_numpy(z).to(weight), y).float().cpu().contiguous().numpy()
        return images

    return partial(pixels, forward, trainer.latent_dim, trainer.classes, seed, pool=pool, label=label)


def due(run: Run, step: int) -> bool:
    """Whether the weights after ``step`` steps are to be evaluated."""
    config = run.config
    return bool(config.eval_every) and step > 0 and (step == config.steps or step % config.eval_every == 0)


def evaluate(trainer: Trainer, run: Run, evaluating: Evaluating, saver: "Saver") -> dict[str, float]:
    """Evaluate the weights as they are, and keep them if no recorded step before was as good.

    Returns:
        Their figures.
    """
    step = trainer.steps_done
    figures = dict(evaluating.figures(sampler(trainer, pool=evaluating.labels)))
    if best_step(run, evaluating, {step: figures}) == step:
        saver.write(run.best_path(step), then=run.prune_checkpoints)
    return figures


def best_step(
    run: Run, evaluating: Evaluating, newest: Mapping[int, Mapping[str, float]] = MappingProxyType({})
) -> int | None:
    """The first of the best steps; None if nothing that can be ranked was evaluated by this protocol.

    Args:
        newest: step -> figures that are not recorded yet.
    """
    return evaluating.ranking.best({**run.evaluations(evaluating.protocol), **newest})
