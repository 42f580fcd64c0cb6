"""What one phase computes, from a batch to gradients: the same function under every executor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ganzoo.specs import Penalty
from ganzoo.training.batch import Augment, Batch
from ganzoo.training.networks import as_output
from ganzoo.training.phases import GANLoss, critic_loss, generator_loss
from ganzoo.training.precision import Precision
from ganzoo.training.step import Output, Step, widen

Network = Literal["discriminator", "generator"]


class Phase(NamedTuple):
    """Which update: of what network, and with which of the penalties (by place)."""

    network: Network
    due: tuple[int, ...] = ()


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
        """The one that the phase updates."""
        return self.generator if phase.network == "generator" else self.discriminator

    def generate(self, batch: Batch) -> Tensor:
        """The generator's images of the batch's latents, [B, C, H, W] in the type of its weights."""
        with self.precision.autocast():
            return widen(self.generator(batch.z, batch.labels))

    def gradients(
        self, phase: Phase, batch: Batch, fake: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Add the gradient of the phase's loss, times ``scale`` if there is one, to the ``.grad`` of who learns.

        In the discriminator's phase these are its weights; in the generator's it is ``fake``, a leaf.

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
