"""WGAN-GP (Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028), the residual networks of its CIFAR-10 code.

Adam(2e-4, 0, .9), falling to 0 linearly, 5 critic steps, lambda 10, batch 64, 128 normal latents, 128 feature maps,
no BatchNorm in the critic: igul222/improved_wgan_training, ``gan_cifar_resnet.py``. Without the labels of that file,
and without its 128 fakes for each of the generator's updates: here a step has one batch.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganzoo import Architecture, Model, Preset, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec

ADAM = {"lr": 2e-4, "betas": [0.0, 0.9]}
FASTER = {"lr": 1e-3}
"""For networks a quarter as wide and less: the stable rate grows as the width shrinks (Yang et al., 2022)."""

NARROW = {"latent_dim": 64, "width": 24, "discriminator_width": 24, "doubling": True}
"""Options with which a step on 64 images of 32 pixels takes a CPU's core 0.2 s."""

FASTEST = {"lr": 2e-3}
EIGHT = {
    "steps": 800,
    "critic_steps": 1,
    "ema_kimg": 3.0,
    "preview_every": 100,
    "options": {"width": 64},
    "generator": FASTEST,
    "discriminator": FASTEST,
}
"""For images of 8 pixels, and with more steps 16: not the paper's, but what makes digits in half a minute of a core."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of residual networks.

    Args:
        latent_dim: length of z.
        width: feature maps next to the generator's image. None: what the paper's code has for 32 pixels, in proportion
            for fewer, and 64 for more.
        discriminator_width: the same of the discriminator.
        doubling: whether they double with each halving of the side, up to 16 times as many at 4 pixels. None: for more
            than 32 pixels.
    """

    latent_dim: int = 128
    width: int | None = None
    discriminator_width: int | None = None
    doubling: bool | None = None

    def __post_init__(self) -> None:
        numbers = (self.latent_dim, self.width, self.discriminator_width)
        if any(number is not None and number < 1 for number in numbers):
            raise ValueError("latent_dim, width and discriminator_width must be at least 1")


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One architecture and one model."""
    yield Architecture(
        name="wgan-gp-resnet",
        summary="residual blocks, a critic without BatchNorm",
        generator="ganzoo_plugins.wgan_gp_resnet.networks:Generator",
        discriminator="ganzoo_plugins.wgan_gp_resnet.networks:Critic",
        options=Options,
        resolutions=(8, 16, 32, 64, 128),
    )
    yield Model(
        name="wgan-gp-resnet",
        measured="ganzoo_plugins.wgan_gp_resnet:measured.json",
        summary="Wasserstein GAN with gradient penalty and residual networks",
        paper="Gulrajani et al., 2017",
        year=2017,
        reference="https://arxiv.org/abs/1704.00028",
        code="https://github.com/igul222/improved_wgan_training",
        architecture="wgan-gp-resnet",
        loss="wgan-gp",
        defaults={"batch": 64, "steps": 100_000, "schedule": "linear", "generator": ADAM, "discriminator": ADAM},
        defaults_up_to={8: EIGHT, 16: {**EIGHT, "steps": 3_000}},
        presets={
            "small": Preset(
                summary="narrow networks and faster rates, for a CPU",
                defaults={
                    "steps": 3_000,
                    "critic_steps": 2,
                    "ema_kimg": 5.0,
                    "options": NARROW,
                    "generator": FASTER,
                    "discriminator": FASTER,
                },
                resolutions=(32, 64),
            )
        },
    )
