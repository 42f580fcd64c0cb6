"""Losses and augmentations that remember, draw and take options."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from ganzoo import ImageShape
from ganzoo.training import Step, View
from tricks import (
    CodeOptions,
    ConsistencyOptions,
    ControllerOptions,
    LeCamOptions,
    NoiseOptions,
    ObserverOptions,
    SeekingOptions,
)
from tricks.networks import CODES


class Wasserstein:
    def discriminator(self, step: Step) -> Tensor:
        return step.fake.logits.mean() - step.real.logits.mean()

    def generator(self, step: Step) -> Tensor:
        return -step.fake.logits.mean()


class NonSaturating:
    def discriminator(self, step: Step) -> Tensor:
        return softplus(-step.real.logits).mean() + softplus(step.fake.logits).mean()

    def generator(self, step: Step) -> Tensor:
        return softplus(-step.fake.logits).mean()


class BalancedConsistency(NonSaturating):
    """bCR (Zhao et al., 2021): an image and its mirror image are the same to the critic, real and fake."""

    def __init__(self, options: ConsistencyOptions) -> None:
        self.weight = options.weight

    def discriminator(self, step: Step) -> Tensor:
        return super().discriminator(step) + self.weight * (self._gap(step, step.real) + self._gap(step, step.fake))

    def _gap(self, step: Step, view: View) -> Tensor:
        chosen = step.uniform_like(step.epsilon) < 0.5
        mirrored = torch.where(chosen, view.images.flip(3), view.images)
        return (step.score(mirrored).logits - view.logits).square().mean()


class LeCam(NonSaturating):
    """LeCam (Tseng et al., 2021, equation 4): logits stay near the moving mean of the other side's."""

    def __init__(self, options: LeCamOptions) -> None:
        self.options = options

    def discriminator(self, step: Step) -> Tensor:
        for name, view in (("real", step.real), ("fake", step.fake)):
            step.remember(name, step.state[name].lerp(view.logits.detach().mean(), 1 - self.options.decay))
        real, fake = step.state["real"], step.state["fake"]
        distance = (step.real.logits - fake).square().mean() + (step.fake.logits - real).square().mean()
        return super().discriminator(step) + self.options.weight * distance


class Adaptive(NonSaturating):
    """ADA (Karras et al., 2020, section 3): p moves by a step, up where the critic overfits."""

    def __init__(self, options: ControllerOptions) -> None:
        self.options = options

    def discriminator(self, step: Step) -> Tensor:
        overfit = step.mean(step.real.logits.detach().sign()) - self.options.target
        step.remember("p", (step.state["p"] + self.options.rate * overfit.sign()).clamp(0, 1))
        step.log("p", step.state["p"])
        return super().discriminator(step)


class Noise:
    def __init__(self, options: NoiseOptions) -> None:
        self.options = options

    def draw(
        self, count: int, shape: ImageShape, generator: torch.Generator, device: torch.device
    ) -> Mapping[str, Tensor]:
        size = (count, shape.channels, shape.height, shape.width)
        return {"noise": torch.randn(size, generator=generator, device=device)}

    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return images + self.options.strength * drawn["noise"].to(images)


class AdaptiveNoise(Noise):
    """Noise on a share p of the images."""

    def draw(
        self,
        count: int,
        shape: ImageShape,
        generator: torch.Generator,
        device: torch.device,
        state: Mapping[str, Tensor] | None = None,
    ) -> Mapping[str, Tensor]:
        assert state is not None
        noise = super().draw(count, shape, generator, device)["noise"]
        chosen = torch.rand(count, 1, 1, 1, generator=generator, device=device) < state["p"]
        return {"noise": noise * chosen}


class ObservingNoise(AdaptiveNoise):
    """Noise on a share p of the images, which grows by images seen where fakes look better than real ones, and noise.

    It scores other images, too, and draws, which the rest of the step must not notice.
    """

    def __init__(self, options: ObserverOptions) -> None:
        super().__init__(options)
        self.pace = 1 / (1000 * options.kimg)

    def observe(self, step: Step) -> None:
        noise = step.score(0.1 * step.normal_like(step.real.images)).logits
        signs = (step.fake.logits + noise - 2 * step.real.logits).sign()
        moved = step.state["p"] + self.pace * step.batch * step.mean(signs).sign()
        step.remember("p", moved.clamp(0, 1))
        step.remember("seen", step.state["seen"] + step.batch)
        step.log("p", moved)


class InfoGAN(NonSaturating):
    def __init__(self, options: CodeOptions) -> None:
        self.weight = options.weight

    def discriminator(self, step: Step) -> Tensor:
        return super().discriminator(step) + self._codes(step)

    def generator(self, step: Step) -> Tensor:
        return super().generator(step) + self._codes(step)

    def _codes(self, step: Step) -> Tensor:
        return self.weight * cross_entropy(step.fake.extras["codes"], step.z[:, :CODES].argmax(1))


class Moments:
    """Moment matching (Li et al., 2015), of pixels: no discriminator."""

    def generator(self, step: Step) -> Tensor:
        first = step.mean(step.fake.images) - step.mean(step.real.images)
        second = step.mean(step.fake.images.square()) - step.mean(step.real.images.square())
        return first.square().sum() + second.square().sum()


class ModeSeeking(NonSaturating):
    """MSGAN (Mao et al., 2019); and a real image with another label is a fake (Reed et al., 2016)."""

    def __init__(self, options: SeekingOptions) -> None:
        self.weight = options.weight

    def discriminator(self, step: Step) -> Tensor:
        wrong = step.score(step.real.images, step.fake_labels).logits
        differs = (step.fake_labels != step.labels).to(wrong)
        return super().discriminator(step) + (softplus(wrong) * differs).mean()

    def generator(self, step: Step) -> Tensor:
        z = step.normal_like(step.z)
        apart = (step.generate(z) - step.fake.images).abs().flatten(1).mean(1) / (z - step.z).abs().mean(1)
        return super().generator(step) + self.weight / (step.mean(apart) + 0.1)
