"""``Executor``: runs a phase as it is written, operation by operation; the reference for the faster ones."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ganzoo.training.batch import Batch
from ganzoo.training.objective import Network, Objective, Phase, Told
from ganzoo.training.optimization import Optimization
from ganzoo.training.ranks import Ranks


class Executor:
    """Runs updates eagerly: the reference that the others are tested against.

    Args:
        optimizations: by network.
        ranks: the processes over which gradients are averaged.
    """

    def __init__(self, objective: Objective, optimizations: Mapping[Network, Optimization], ranks: Ranks) -> None:
        self.objective = objective
        self.optimizations = optimizations
        self.ranks = ranks

    def generate(self, batch: Batch, *, graph: bool) -> Tensor:
        """See ``Objective.generate``; ``graph`` keeps the autograd graph, by which the generator learns."""
        with torch.set_grad_enabled(graph):
            return self.objective.generate(batch)

    def gradients(self, phase: Phase, batch: Batch, fake: Tensor, scale: Tensor | None) -> Told:
        """See ``Objective.gradients``."""
        return self.objective.gradients(phase, batch, fake, scale)

    def learn(self, phase: Phase, batch: Batch, images: Tensor | None, scale: Tensor | None) -> Told:
        """Add the gradient of the phase's loss, times ``scale`` if there is one, to its network's ``.grad``.

        The graph is cut at the images, where the critic's phase ends. The generator learns in two backward passes:
        through the critic to the images, then through the generator.

        Args:
            images: what ``generate`` returned, with their graph if the generator learns; None: make them now.
        """
        generates = phase.network == "generator"
        if images is None:
            images = self.generate(batch, graph=generates)
        fake = images.detach().requires_grad_(generates)
        told = self.gradients(phase, batch, fake, scale)
        if fake.grad is not None:
            images.backward(fake.grad)  # type: ignore[no-untyped-call]
        return told

    def update(self, phase: Phase, parts: Sequence[Batch], images: Tensor | None = None) -> list[Told]:
        """Forward, backward, average over ranks, optimizer.

        Args:
            images: see ``learn``; given only where there is one part.
        """
        optimization = self.optimizations[phase.network]
        optimization.clear()
        scale = optimization.scale
        told = [self.learn(phase, part, images, scale) for part in parts]
        optimization.average(self.ranks, len(parts))
        optimization.step()
        return told
