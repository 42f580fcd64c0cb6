"""``Executor``: a phase as it is written, operation by operation; the reference for the faster ones."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ganzoo.training.batch import Batch
from ganzoo.training.objective import Network, Objective, Phase
from ganzoo.training.optimization import Optimization
from ganzoo.training.ranks import Ranks

Logged = tuple[Tensor, dict[str, Tensor]]
"""A phase's loss, and what was logged by name; scalars."""


class Executor:
    """Runs updates eagerly: the reference that the others are tested against.

    Args:
        optimizations: by network.
        ranks: whom gradients are averaged with.
    """

    def __init__(self, objective: Objective, optimizations: Mapping[Network, Optimization], ranks: Ranks) -> None:
        self.objective = objective
        self.optimizations = optimizations
        self.ranks = ranks

    def generate(self, batch: Batch, *, graph: bool) -> Tensor:
        """See ``Objective.generate``; with the graph that the generator learns by, or without."""
        with torch.set_grad_enabled(graph):
            return self.objective.generate(batch)

    def gradients(self, phase: Phase, batch: Batch, fake: Tensor, scale: Tensor | None) -> Logged:
        """See ``Objective.gradients``."""
        return self.objective.gradients(phase, batch, fake, scale)

    def learn(self, phase: Phase, batch: Batch, images: Tensor | None, scale: Tensor | None) -> Logged:
        """Add the gradient of the phase's loss, times ``scale`` if there is one, to its network's ``.grad``.

        The graph is cut at the images: the critic's phase ends there, and in the generator's what the critic says of
        them is one backward pass, and what made them another.

        Args:
            images: of ``generate``, with their graph if the generator learns; None: they are made now.
        """
        generates = phase.network == "generator"
        if images is None:
            images = self.generate(batch, graph=generates)
        fake = images.detach().requires_grad_(generates)
        logged = self.gradients(phase, batch, fake, scale)
        if generates:
            images.backward(fake.grad)  # type: ignore[no-untyped-call]
        return logged

    def update(self, phase: Phase, parts: Sequence[Batch], images: Tensor | None = None) -> list[Logged]:
        """Forward, backward, average over ranks, optimizer.

        Args:
            images: of the only part, see ``learn``.
        """
        optimization = self.optimizations[phase.network]
        optimization.clear()
        scale = optimization.scale
        logged = [self.learn(phase, part, images, scale) for part in parts]
        optimization.average(self.ranks, len(parts))
        optimization.step()
        return logged
