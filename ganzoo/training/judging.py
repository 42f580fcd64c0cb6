"""Evaluation during training: when it is due, what it is given, and which step was best."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from ganzoo.images import to_uint8
from ganzoo.latents import draw
from ganzoo.quality import rank
from ganzoo.training import checkpoint
from ganzoo.training.run import Run
from ganzoo.training.trainer import Trainer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sampler = Callable[[int, int], tuple[NDArray[np.uint8], NDArray[np.int64] | None]]
    """(start, count) -> uint8 [count, C, H, W] of one sample seed, and labels [count] where the networks take them."""

    Judge = Callable[[Sampler], Mapping[str, float]]
    """The figures of what a sampler makes."""

SEED = 0
"""Of the samples that are judged: the first of those that ``ganzoo eval`` takes."""


def sampler(trainer: Trainer, seed: int = SEED) -> "Sampler":
    """Images of the averaged generator, as the exported file will make them."""
    generator = trainer.ema.generator
    device = next(generator.parameters()).device

    @torch.no_grad()
    def sample(start: int, count: int) -> "tuple[NDArray[np.uint8], NDArray[np.int64] | None]":
        z, labels = draw(seed, start, count, trainer.latent_dim, trainer.classes)
        y = None if labels is None else torch.from_numpy(labels).to(device)
        images = generator(torch.from_numpy(z).to(device), y).float().cpu().contiguous().numpy()
        return np.ascontiguousarray(to_uint8(images, start=start).transpose(0, 3, 1, 2)), labels

    return sample


def evaluate(trainer: Trainer, run: Run, judge: "Judge") -> dict[str, float]:
    """Judge the weights as they are, and keep them if no step before was better."""
    figures = dict(judge(sampler(trainer)))
    before = run.evaluations()
    run.report(trainer.steps_done, figures, run.evaluation_log)
    if all(rank(figures) < rank(former) for former in before.values()):
        checkpoint.write(trainer, run.best_checkpoint)
    return figures


def best_step(run: Run) -> int | None:
    """The step whose weights are kept as the best; None if nothing was evaluated."""
    evaluations = run.evaluations()
    return min(evaluations, key=lambda step: rank(evaluations[step]), default=None)
