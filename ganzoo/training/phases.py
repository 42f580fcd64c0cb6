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


def critic_loss(step: Step, loss: GANLoss, penalties: Sequence[Penalty], number: int) -> Tensor:
    """The critic's whole loss in step ``number``: the loss proper and the penalties that are due.

    A penalty with ``every`` = k acts on each k-th step with k times its weight (lazy regularisation).
    """
    due = [penalty for penalty in penalties if number % penalty.every == 0]
    points = [penalty.points(step) for penalty in due]
    for x in points:  # before any logits are read: a penalty at the real or fake images shares their forward pass
        if x is step.real.images or x is step.fake.images:
            x.requires_grad_(True)
    total = loss.discriminator(step)
    step.log("loss_d", total)
    for penalty, x in zip(due, points, strict=True):
        value = penalty.value(squared_gradient_norm(step, x)).mean()
        step.log(penalty.name, value)
        total = total + (penalty.weight * penalty.every) * value
    return total


def squared_gradient_norm(step: Step, points: Tensor) -> Tensor:
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
    (gradient,) = torch.autograd.grad(logits.sum(), points, create_graph=True)
    return gradient.flatten(1).square().sum(1)


def generator_loss(step: Step, loss: GANLoss) -> Tensor:
    """The generator's loss in one step."""
    total = loss.generator(step)
    step.log("loss_g", total)
    return total
