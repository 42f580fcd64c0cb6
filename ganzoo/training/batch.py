"""The inputs drawn for one phase: real images, latents, labels, and random numbers of penalties and augmentation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from ganzoo.config import FakeLabels, RunConfig
from ganzoo.errors import PluginError
from ganzoo.training.chance import Chance
from ganzoo.training.draws import Draws
from ganzoo.training.precision import Precision
from ganzoo.training.ranks import Ranks

if TYPE_CHECKING:
    from ganzoo.training.feed import Feed

State = Mapping[str, Tensor]
"""Name -> a number that losses and augmentations remember, [] on the device."""


class Augment(Protocol):
    """The interface of an ``Augmentation`` spec's target; ``observe(step)`` is optional."""

    @property
    def draw(self) -> Callable[..., Mapping[str, Tensor]]:
        """``(count, shape, generator, device) -> drawn``: random parameters of ``count`` images of ``shape``.

        Each is [count, ...], all from ``generator``. An augmentation that declares a state is given that, too.
        """

    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        """The images [B, C, H, W] changed as ``drawn`` says: pure, and twice differentiable."""


@dataclass(frozen=True)
class Batch:
    """The inputs of one phase, all on the device; the first dimension of each is B.

    Args:
        z: [B, L].
        epsilon: [B, 1, 1, 1], uniform on [0, 1).
        real: [B, C, H, W] on [-1, 1].
        labels: [B] in int64, or None.
        fake_labels: those that the fakes are made with, where they are not the same.
        mirrored: bool [B, 1, 1, 1], which real images are flipped; None: none of them.
        augment_real, augment_fake: what the augmentation drew.
        chance: the random numbers of losses, penalties and networks' own terms; see ``Chance``.
    """

    z: Tensor
    epsilon: Tensor
    real: Tensor
    labels: Tensor | None = None
    fake_labels: Tensor | None = None
    mirrored: Tensor | None = None
    augment_real: Mapping[str, Tensor] = field(default_factory=dict)
    augment_fake: Mapping[str, Tensor] = field(default_factory=dict)
    chance: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def generated(self) -> Tensor | None:
        """The labels that the fakes are made with."""
        return self.labels if self.fake_labels is None else self.fake_labels

    def map(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """The batch with ``change`` done to each of its tensors."""

        def maybe(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else change(tensor)

        return Batch(
            z=change(self.z),
            epsilon=change(self.epsilon),
            real=change(self.real),
            labels=maybe(self.labels),
            fake_labels=maybe(self.fake_labels),
            mirrored=maybe(self.mirrored),
            augment_real={name: change(drawn) for name, drawn in self.augment_real.items()},
            augment_fake={name: change(drawn) for name, drawn in self.augment_fake.items()},
            chance={name: change(drawn) for name, drawn in self.chance.items()},
        )

    def tensors(self) -> list[Tensor]:
        """All tensors of the batch, always in the same order."""
        optional = [each for each in (self.labels, self.fake_labels, self.mirrored) if each is not None]
        drawn = [*self.augment_real.values(), *self.augment_fake.values(), *self.chance.values()]
        return [self.z, self.epsilon, self.real, *optional, *drawn]

    def copy_(self, other: "Batch") -> None:
        """Take over the values of ``other``, which has the same shapes."""
        for target, source in zip(self.tensors(), other.tensors(), strict=True):
            target.copy_(source, non_blocking=True)

    def part(self, number: int, parts: int) -> "Batch":
        """Part ``number`` of ``parts`` equal ones; a view."""
        if parts == 1:
            return self
        size = len(self.z) // parts
        return self.map(lambda tensor: tensor[number * size : (number + 1) * size])


class Batches:
    """Draws the batch of each critic phase, as a function of (seed, step, phase) alone.

    The generator's phase uses the batch of the last critic phase before it.

    Every rank draws the whole batch and keeps its share, so that results do not depend on how many ranks there are.

    Args:
        config: resolved.
        feed: gives this rank's share of the real images.
        latent_dim: L of z[B, L].
        augment: the augmentation whose parameters are drawn, too; or None.
        conditional: whether the networks take labels.
        state: what an augmentation that declares a state is given; None: it declares none.
    """

    def __init__(
        self,
        config: RunConfig,
        feed: "Feed",
        latent_dim: int,
        augment: Augment | None,
        precision: Precision,
        ranks: Ranks,
        conditional: bool,
        state: State | None = None,
    ) -> None:
        self._config = config
        self.feed = feed
        self._latent_dim = latent_dim
        self.augment = augment
        self._precision = precision
        self._ranks = ranks
        self._conditional = conditional
        self._state = () if state is None else (state,)
        self.chance = Chance()
        self._draws = Draws(config.seed, precision.device, ranks.rank)

    def draw(self, step: int, phase: int) -> Batch:
        """This rank's share of the batch of one phase.

        Numbers are always drawn in this order, so that they are the same on every executor. What a run may do without
        is drawn last, so that switching it on changes nothing that is drawn before it: neither images nor latents.
        """
        count, device = self._config.batch, self._precision.device
        generator = self._draws.begin(step, phase)
        z = self._mine(torch.randn(count, self._latent_dim, generator=generator, device=device))
        epsilon = self._mine(torch.rand(count, 1, 1, 1, generator=generator, device=device))
        mirrored = None
        if self._config.flip:
            mirrored = self._mine(torch.rand(count, 1, 1, 1, generator=generator, device=device) < 0.5)
        augment_real, augment_fake = self._augmentation(generator), self._augmentation(generator)
        labels = self.feed.labels(step, phase) if self._conditional else None
        fake_labels = None
        if labels is not None and self._config.fake_labels == FakeLabels.UNIFORM:
            fake_labels = self._mine(
                torch.randint(self.feed.shape.classes, (count,), generator=generator, device=device)
            )
        chance = self.chance.draw(self._config.seed, step, phase, count, generator, self._precision.master)
        return Batch(
            z=self._precision.widened(z),
            epsilon=self._precision.widened(epsilon),
            real=self._precision.widened(self.feed.images(step, phase)),
            labels=labels,
            fake_labels=fake_labels,
            mirrored=mirrored,
            augment_real=augment_real,
            augment_fake=augment_fake,
            chance={name: self._mine(numbers) for name, numbers in chance.items()},
        )

    def reseed(self, step: int) -> None:
        """Set torch's own generator, from which networks may draw, as at the beginning of ``step``."""
        self._draws.begin(step, 0)

    def _augmentation(self, generator: torch.Generator) -> Mapping[str, Tensor]:
        if self.augment is None:
            return {}
        count = self._config.batch
        drawn = dict(self.augment.draw(count, self.feed.shape, generator, self._precision.device, *self._state))
        for name, value in drawn.items():
            if len(value) != count:
                raise PluginError(
                    f"the augmentation drew {name} {list(value.shape)} for {count} images",
                    hint="draw() returns tensors of one row an image",
                )
        return {name: self._mine(value) for name, value in drawn.items()}

    def _mine(self, drawn: Tensor) -> Tensor:
        """This rank's rows of what was drawn for the whole batch."""
        return drawn if self._ranks.count == 1 else drawn.tensor_split(self._ranks.count)[self._ranks.rank]
