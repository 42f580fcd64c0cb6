"""FastGAN (Liu et al., 2021, https://arxiv.org/abs/2101.04775): for a hundred images, in little time.

A generator whose coarse maps excite the fine ones (equation 1), and a discriminator that must be able to draw what it
sees, by two small decoders (equation 2); hinge loss, batch 8, 256 latents, DiffAugment: all three of its kinds, where
copies of the authors' code leave cutout out (``--set 'augment_options.policy=["colour","translation"]'``). Adam(2e-4,
0, .99) is that of Projected GAN's train.py, whose generator this is, too; so is spectral norm in every convolution.
Decoders are compared by the mean absolute difference of pixels: the authors' perceptual distance needs a pretrained
network.

There is no address of the authors' code here: its repository's name now belongs to somebody else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganzoo import Architecture, Model, Preset, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec

ADAM = {"lr": 2e-4, "betas": [0.0, 0.99]}
FASTER = {"lr": 1e-3, "betas": [0.0, 0.9]}
TINY = {"batch": 32, "ema_kimg": 3.0, "generator": FASTER, "discriminator": FASTER}
"""For images of at most 16 pixels: on digits the Fréchet distance is 11 after 1,200 steps, unaugmented."""

HALF_AS_FAST = {"lr": 5e-4, "betas": [0.0, 0.9]}
SMALL = {
    "batch": 32,
    "steps": 4_000,
    "schedule": "linear",
    "ema_kimg": 3.0,
    "options": {"width": 8},
    "generator": HALF_AS_FAST,
    "discriminator": HALF_AS_FAST,
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of FastGAN.

    Args:
        latent_dim: length of z.
        width: feature maps at 128 pixels; there are up to 16 times as many at coarser resolutions. None: 64, and 4 for
            images of at most 16 pixels.
        lite: every block of the generator has one convolution and no noise, as in Projected GAN's ``fastgan_lite``.
    """

    latent_dim: int = 256
    width: int | None = None
    lite: bool = False

    def __post_init__(self) -> None:
        if self.latent_dim < 1 or (self.width is not None and self.width < 2):
            raise ValueError("latent_dim must be at least 1, and width at least 2")


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One architecture and one model."""
    yield Architecture(
        name="fastgan",
        summary="skip-layer excitation, and a discriminator with decoders",
        generator="ganzoo_plugins.fastgan.networks:Generator",
        discriminator="ganzoo_plugins.fastgan.networks:Discriminator",
        options=Options,
        resolutions=(8, 16, 32, 64, 128, 256),
        batch_coupled=True,  # the generator's noise
    )
    yield Model(
        name="fastgan",
        measured="ganzoo_plugins.fastgan:measured.json",
        summary="for few images",
        architecture="fastgan",
        loss="hinge",
        defaults={
            "batch": 8,
            "steps": 50_000,
            "augment": "diffaugment",
            "generator": ADAM,
            "discriminator": ADAM,
        },
        defaults_up_to={
            8: {"steps": 1_200, "preview_every": 100, "augment": "", **TINY},
            16: {"steps": 3_000, **TINY},
        },
        presets={
            "small": Preset(summary="an eighth as wide and faster, for a CPU", defaults=SMALL, resolutions=(32, 64)),
        },
        paper="Liu et al., 2021",
        year=2021,
        reference="https://arxiv.org/abs/2101.04775",
    )
