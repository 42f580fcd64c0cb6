"""Evaluation during training: when it is due, what it is given, and which step was best."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ganzoo.images import to_uint8
from ganzoo.latents import draw
from ganzoo.quality import rank
from ganzoo.training.run import Run
from ganzoo.training.saving import Saver
from ganzoo.training.trainer import Trainer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sampler = Callable[[int, int], tuple[NDArray[np.uint8], NDArray[np.int64] | None]]
    """(start, count) -> uint8 [count, C, H, W] of one sample seed, and labels [count] where the networks take them."""


@dataclass(frozen=True)
class Judge:
    """Who evaluates.

    Args:
        protocol: the key of how it does: only evaluations of one protocol can be ranked.
        figures: of what a sampler makes.
    """

    protocol: str
    figures: "Callable[[Sampler], Mapping[str, float]]"


SEED = 0
"""Of the samples that are judged: the first of those that ``ganzoo eval`` takes."""


def sampler(trainer: Trainer, seed: int = SEED) -> "Sampler":
    """Images of the averaged generator, as the exported file will make them."""
    generator = trainer.ema.generator
    weight = next(generator.parameters())  # of the device, and of the type that z is to have

    @torch.no_grad()
    def sample(start: int, count: int) -> "tuple[NDArray[np.uint8], NDArray[np.int64] | None]":
        z, labels = draw(seed, start, count, trainer.latent_dim, trainer.classes)
        y = None if labels is None else torch.from_numpy(labels).to(weight.device)
        images = generator(torch.from_numpy(z).to(weight), y).float().cpu().contiguous().numpy()
        return np.ascontiguousarray(to_uint8(images, start=start).transpose(0, 3, 1, 2)), labels

    return sample


def due(run: Run, step: int) -> bool:
    """Whether the weights after ``step`` steps are to be evaluated."""
    config = run.config
    return bool(config.eval_every) and step > 0 and (step == config.steps or step % config.eval_every == 0)


def evaluate(trainer: Trainer, run: Run, judge: Judge, saver: Saver) -> dict[str, float]:
    """Judge the weights as they are, and keep them if no recorded step before was better."""
    figures = dict(judge.figures(sampler(trainer)))
    before = run.evaluations(judge.protocol)
    if rank(figures) < min(map(rank, before.values()), default=math.inf):
        saver.write(run.best_path(trainer.steps_done), then=run.prune_checkpoints)
    return figures


def best_step(run: Run, protocol: str) -> int | None:
    """The first of the best steps; None if nothing that can be ranked was evaluated by ``protocol``."""
    ranked = {step: place for step, figures in run.evaluations(protocol).items() if (place := rank(figures)) < math.inf}
    return min(ranked, key=lambda step: (ranked[step], step), default=None)
