"""The step: everything that happens between two values of the step counter."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from ganzoo.config import RunConfig
from ganzoo.specs import ImageShape, Penalty
from ganzoo.training.draws import Draws
from ganzoo.training.ema import EMA
from ganzoo.training.feed import Feed
from ganzoo.training.networks import Networks, as_output, check_penalties
from ganzoo.training.phases import GANLoss, critic_loss, generator_loss
from ganzoo.training.precision import Precision
from ganzoo.training.step import Output, Step, widen
from ganzoo.training.telemetry import Telemetry

Change = Callable[[Tensor], Tensor]
"""Of images [B, C, H, W], one parameter or another for each of them drawn before."""


class Augment(Protocol):
    """What an ``Augmentation`` spec's target is."""

    def draw(
        self, count: int, shape: ImageShape, generator: torch.Generator, device: torch.device
    ) -> Mapping[str, Tensor]:
        """Random parameters for ``count`` images of ``shape``, on ``device``, all of them from ``generator``."""

    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        """The images [B, C, H, W] changed as ``drawn`` says: pure, and twice differentiable."""


class Trainer:
    """The networks of a run, their optimizers and their average, and the step that moves them.

    Args:
        config: resolved.
        networks: as built; moved to the precision's device and memory format.
        feed: real images, on that device.
        loss, penalties: see ``ganzoo.specs``.
        conditional: whether the networks are given labels.
        augment: what is done to all images before the discriminator sees them.
    """

    def __init__(
        self,
        config: RunConfig,
        networks: Networks,
        feed: Feed,
        loss: GANLoss,
        penalties: Sequence[Penalty],
        precision: Precision,
        conditional: bool,
        augment: Augment | None = None,
    ) -> None:
        check_penalties(networks.discriminator, penalties)
        self.config = config
        self.steps_done = 0
        self.telemetry = Telemetry(precision.device)
        self.generator = _place(networks.generator, precision)
        self.discriminator = _place(networks.discriminator, precision)
        self.ema = EMA(self.generator, config.ema_kimg)
        self.optimizers = {
            "generator": _adam(self.generator, config.generator.lr, config.generator.betas),
            "discriminator": _adam(self.discriminator, config.discriminator.lr, config.discriminator.betas),
        }
        self._critic_weights = _trainable(self.discriminator)
        self.latent_dim = networks.latent_dim
        self.classes = feed.shape.classes if conditional else 0
        self._feed = feed
        self._loss = loss
        self._penalties = penalties
        self._precision = precision
        self._augment = augment
        self._draws = Draws(config.seed, precision.device)

    @property
    def images_shown(self) -> int:
        """Real images shown to the critic so far."""
        return self.steps_done * self.config.critic_steps * self.config.batch

    def step(self) -> None:
        """``critic_steps`` updates of the critic, then one of the generator and of its average."""
        self._thaw_critic(True)
        for phase in range(self.config.critic_steps):
            loss = critic_loss(self._batch(phase, grad=False), self._loss, self._penalties, self.steps_done)
            self._update("discriminator", loss)
        # Frozen, the critic costs the generator's phase no weight gradients: 8 % of DCGAN's step.
        self._thaw_critic(False)
        loss = generator_loss(self._batch(self.config.critic_steps, grad=True), self._loss)
        self._update("generator", loss)
        self.steps_done += 1
        self.ema.update(self.images_shown, self.config.batch * self.config.critic_steps)

    def _batch(self, phase: int, grad: bool) -> Step:
        """Draw one phase's batch.

        Always in this order, so that it is the same on every device count and executor; what a run may do without
        comes last, so that switching it on changes nothing before it.

        The step's images are the augmented ones. The critic is a function of what it sees, so its penalties must bound
        its slope there, and the generator's gradient comes back through the augmentation: a change that only the real
        images underwent would be learnt as a property of theirs (Zhao et al., 2020, section 3.2).
        """
        number, count, device = self.steps_done, self.config.batch, self._precision.device
        generator = self._draws.begin(number, phase)
        z = torch.randn(count, self.latent_dim, generator=generator, device=device)
        epsilon = torch.rand(count, 1, 1, 1, generator=generator, device=device)
        flip = self._flip(generator)
        augment_real, augment_fake = self._augmentation(generator), self._augmentation(generator)
        labels = self._feed.labels(number, phase) if self.classes else None

        def generate() -> Tensor:
            with torch.set_grad_enabled(grad), self._precision.autocast():
                return widen(self.generator(z, labels))

        def discriminate(images: Tensor) -> Output:
            with self._precision.autocast():
                return as_output(self.discriminator(images, labels))

        return Step(
            real=lambda: augment_real(flip(self._feed.images(number, phase))),
            fake=lambda: augment_fake(generate()),
            z=z,
            labels=labels,
            epsilon=epsilon,
            discriminator=discriminate,
            log=self.telemetry.log,
        )

    def _flip(self, generator: torch.Generator) -> Change:
        """Mirrors each image, left to right, with probability 1/2."""
        if not self.config.flip:
            return _unchanged
        chance = torch.rand(self.config.batch, 1, 1, 1, generator=generator, device=self._precision.device)
        return lambda images: torch.where(chance < 0.5, images.flip(3), images)

    def _augmentation(self, generator: torch.Generator) -> Change:
        """The augmentation with parameters of its own for each image."""
        if self._augment is None:
            return _unchanged
        drawn = self._augment.draw(self.config.batch, self._feed.shape, generator, self._precision.device)
        return partial(self._augment.apply, drawn=drawn)

    def _thaw_critic(self, thawed: bool) -> None:
        """Only what the plugin left trainable: a layer that it froze stays frozen."""
        for weight in self._critic_weights:
            weight.requires_grad_(thawed)

    def _update(self, network: str, loss: Tensor) -> None:
        self.telemetry.watch(loss, self.steps_done)
        optimizer = self.optimizers[network]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    def modules(self) -> Mapping[str, nn.Module]:
        """The networks by the names that they have in checkpoints and in the registry."""
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "generator-ema": self.ema.generator,
        }


def _unchanged(images: Tensor) -> Tensor:
    return images


def _place(network: nn.Module, precision: Precision) -> nn.Module:
    placed = network.to(precision.device).train()
    for weight in placed.parameters():
        if weight.dim() == 4:  # a format of images' and of convolutions' weights
            weight.data = weight.data.to(memory_format=precision.memory_format)
    return placed


def _trainable(network: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in network.parameters() if weight.requires_grad]


def _adam(network: nn.Module, lr: float, betas: tuple[float, float]) -> torch.optim.Optimizer:
    return torch.optim.Adam(_trainable(network), lr=lr, betas=betas, fused=True)
