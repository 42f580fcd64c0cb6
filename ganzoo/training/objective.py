"""What one phase computes, from a batch to gradients: losses and penalties, the same under every executor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ganzoo.specs import Penalty
from ganzoo.step import Output, Step, as_output, widen
from ganzoo.training.batch import Augment, Batch
from ganzoo.training.precision import Precision

Network = Literal["discriminator", "generator"]


class Phase(NamedTuple):
    """A kind of update: which network it changes, and which of the penalties act in it (by place)."""

    network: Network
    due: tuple[int, ...] = ()


class GANLoss(Protocol):
    """The interface of a ``Loss`` spec's target."""

    def discriminator(self, step: Step) -> Tensor:
        """The discriminator's (critic's) loss, a scalar, to be minimised."""

    def generator(self, step: Step) -> Tensor:
        """The generator's loss, a scalar, to be minimised."""


@dataclass(eq=False)
class Objective:
    """The networks and the mathematics of a run.

    Args:
        augment: what is done to all images before the discriminator sees them.
    """

    generator: nn.Module
    discriminator: nn.Module
    loss: GANLoss
    penalties: Sequence[Penalty]
    precision: Precision
    augment: Augment | None = None

    def network(self, phase: Phase) -> nn.Module:
        """The network that the phase updates."""
        return self.generator if phase.network == "generator" else self.discriminator

    def generate(self, batch: Batch) -> Tensor:
        """The generator's images of the batch's latents, [B, C, H, W] in the type of its weights."""
        with self.precision.autocast():
            return widen(self.generator(batch.z, batch.labels))

    def gradients(
        self, phase: Phase, batch: Batch, fake: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Add the gradient of the phase's loss, times ``scale`` if there is one, to ``.grad``.

        In the discriminator's phase, to that of its weights; in the generator's, to that of ``fake``, a leaf.

        Args:
            fake: what ``generate`` made, without its graph.

        Returns:
            The loss, and what was logged, as scalars on the device.
        """
        logged: dict[str, Tensor] = {}
        loss = self.evaluate(phase, self.step(batch, fake, logged))
        (loss if scale is None else loss * scale).backward()  # type: ignore[no-untyped-call]
        return loss.detach(), logged

    def evaluate(self, phase: Phase, step: Step) -> Tensor:
        """The phase's loss with its graph."""
        if phase.network == "generator":
            return generator_loss(step, self.loss)
        due = [self.penalties[place] for place in phase.due]
        return critic_loss(step, self.loss, due, self.precision.inner_scale)

    def step(self, batch: Batch, fake: Tensor, logged: dict[str, Tensor]) -> Step:
        """The view of the batch that losses and penalties are given.

        The step's images are the augmented ones. The critic is a function of what it sees, so its penalties must bound
        its slope there, and the generator's gradient comes back through the augmentation: a change that only the real
        images underwent would be learnt as a property of theirs (Zhao et al., 2020, section 3.2).
        """

        def real() -> Tensor:
            images = batch.real
            if batch.mirrored is not None:
                images = torch.where(batch.mirrored, images.flip(3), images)
            return images if self.augment is None else self.augment.apply(images, batch.augment_real)

        def generated() -> Tensor:
            return fake if self.augment is None else self.augment.apply(fake, batch.augment_fake)

        def discriminate(images: Tensor) -> Output:
            with self.precision.autocast():
                return as_output(self.discriminator(images, batch.labels))

        return Step(
            real=real,
            fake=generated,
            z=batch.z,
            labels=batch.labels,
            epsilon=batch.epsilon,
            discriminator=discriminate,
            log=logged.__setitem__,
        )


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
