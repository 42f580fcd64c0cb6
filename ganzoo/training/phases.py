"""The mathematics of the two phases: the critic's loss with its penalties, and the generator's loss."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from ganzoo.specs import Penalty
from ganzoo.training.step import Step


class GANLoss(Protocol):
    """What a ``Loss`` spec's target is."""

    def discriminator(self, step: Step) -> Tensor:
        """The discriminator's (critic's) loss, a scalar, to be minimised."""

    def generator(self, step: Step) -> Tensor:
        """The generator's loss, a scalar, to be minimised."""


def due_penalties(penalties: Sequence[Penalty], number: int) -> tuple[int, ...]:
    """Places of the penalties that act in step ``number``: each ``every``-th step (lazy regularisation)."""
    return tuple(place for place, penalty in enumerate(penalties) if number % penalty.every == 0)


def critic_loss(step: Step, loss: GANLoss, due: Sequence[Penalty], inner_scale: float = 1.0) -> Tensor:
    """The critic's whole loss: the loss proper and the penalties that are due.

    A penalty that acts on each k-th step only has k times its weight there (StyleGAN2, appendix B).

    Args:
        inner_scale: see ``Precision.inner_scale``.
    """
    points = [penalty.points(step) for penalty in due]
    for view in (step.real, step.fake):  # before any logits are read: a penalty at these images shares their pass
        if any(x is view.images for x in points):
            images, leaf = view.images, view.track()
            points = [leaf if x is images else x for x in points]
    total = loss.discriminator(step)
    step.log("loss_d", total)
    for penalty, x in zip(due, points, strict=True):
        value = penalty.value(squared_gradient_norm(step, x, inner_scale)).mean()
        step.log(penalty.name, value)
        total = total + (penalty.weight * penalty.every) * value
    return total


def squared_gradient_norm(step: Step, points: Tensor, inner_scale: float = 1.0) -> Tensor:
    """q_i = |d D(x_i) / d x_i|^2 for each sample [B], differentiable with respect to the critic.

    The gradient of the summed logits is each sample's own only while samples do not meet in the critic, which is why
    BatchNorm is refused there (Gulrajani et al., 2017, section 4).
    """
    if points is step.real.images:
        logits = step.real.logits
    elif points is step.fake.images:
        logits = step.fake.logits
    else:
        points = points.detach().requires_grad_(True)
        logits = step.score(points).logits
    total = logits.sum() if inner_scale == 1 else logits.sum() * inner_scale
    (gradient,) = torch.autograd.grad(total, points, create_graph=True)
    return (gradient if inner_scale == 1 else gradient / inner_scale).flatten(1).square().sum(1)


def generator_loss(step: Step, loss: GANLoss) -> Tensor:
    """The generator's loss in one step."""
    total = loss.generator(step)
    step.log("loss_g", total)
    return total
