"""WGAN-GP (Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028), the convolutional networks of its CIFAR-10 code.

Adam(1e-4, .5, .9), 5 critic steps, lambda 10, batch 64, 128 normal latents, 128 feature maps, 5x5 kernels, BatchNorm in
the generator only. That code trains for 200,000 steps, twice as many; it draws convolutions uniformly of variance 4 /
(fan-in + fan-out) and linear layers by Glorot's rule, here all are He's normal ones of 2 / fan-in; and its first
BatchNorm is over each of the linear layer's outputs, here over maps. Images of at most 16 pixels get narrower networks
and a higher rate, those of 8 pixels one critic step.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ganzoo import Architecture, Model, Preset, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec

ADAM = {"lr": 1e-4, "betas": [0.5, 0.9]}
FASTER = {"lr": 1e-3, "betas": [0.5, 0.9]}
"""Adam for networks a quarter as wide: its stable rate grows as the width shrinks (Yang et al., 2022)."""

TINY = {"lr": 2e-3, "betas": [0.0, 0.9]}
EIGHT = {
    "steps": 2_000,
    "critic_steps": 1,
    "ema_kimg": 2.0,
    "preview_every": 100,
    "generator": TINY,
    "discriminator": TINY,
}
"""For images of 8 pixels: on digits the Fréchet distance is 9 after 17 s of a core; with 5 critic steps from ``FASTER``
it is 11 after 43 s."""

SMALL = {
    "steps": 3_000,
    "schedule": "linear",
    "ema_kimg": 5.0,
    "options": {"width": 32},
    "generator": FASTER,
    "discriminator": FASTER,
}
"""In four minutes of one core, 1,100 steps, the Fréchet distance on 10,000 of MNIST's digits is .20; with 128 feature
maps it is 2.5 then, after 90 steps."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of WGAN-GP.

    Args:
        latent_dim: length of z.
        width: feature maps next to the image; they double with each halving of its resolution, up to 4 * width.
            None: 128, and 32 for images of at most 16 pixels.
        discriminator_norm: norm after the critic's convolutions; never BatchNorm (section 4 of the paper).
    """

    latent_dim: int = 128
    width: int | None = None
    discriminator_norm: Literal["layer", "none"] = "none"

    def __post_init__(self) -> None:
        if self.latent_dim < 1 or (self.width is not None and self.width < 1):
            raise ValueError("latent_dim and width must be at least 1")


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One architecture and one model."""
    yield Architecture(
        name="wgan-gp",
        summary="5x5 convolutions, a critic without BatchNorm",
        generator="ganzoo_plugins.wgan_gp.networks:Generator",
        discriminator="ganzoo_plugins.wgan_gp.networks:Critic",
        options=Options,
        resolutions=(8, 16, 32, 64, 128, 256),
    )
    yield Model(
        name="wgan-gp",
        measured="ganzoo_plugins.wgan_gp:measured.json",
        summary="Wasserstein GAN with gradient penalty",
        paper="Gulrajani et al., 2017",
        year=2017,
        reference="https://arxiv.org/abs/1704.00028",
        code="https://github.com/igul222/improved_wgan_training",
        architecture="wgan-gp",
        loss="wgan-gp",
        defaults={"batch": 64, "steps": 100_000, "generator": ADAM, "discriminator": ADAM},
        defaults_up_to={
            8: EIGHT,
            16: {"steps": 3_000, "generator": FASTER, "discriminator": FASTER},
        },
        presets={"small": Preset(summary="a quarter as wide, for a CPU", defaults=SMALL, resolutions=(32, 64))},
    )
