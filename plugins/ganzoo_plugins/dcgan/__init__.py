"""DCGAN (Radford et al., 2015, https://arxiv.org/abs/1511.06434), as commonly trained in PyTorch.

4x4 kernels, Adam(2e-4, .5, .999), batch 64, 100 normal latents, 64 feature maps next to a 64-pixel image.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ganzoo import Architecture, Model, Preset, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec

ADAM = {"lr": 2e-4, "betas": [0.5, 0.999]}

HALF_AS_FAST = {"lr": 5e-4, "betas": [0.0, 0.9]}
"""Adam without momentum, as BigGAN (appendix C) and StyleGAN use it, at half the rate that suits images of 8 pixels:
the stable rate shrinks as the width grows (Yang et al., 2022)."""

SMALL = {
    "steps": 4_000,
    "schedule": "linear",
    "ema_kimg": 5.0,
    "options": {"width": 32},
    "generator": HALF_AS_FAST,
    "discriminator": HALF_AS_FAST,
}
"""In two minutes of one core the Fréchet distance on 10,000 of MNIST's digits is .11; the default takes four."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of DCGAN.

    Args:
        latent_dim: length of z.
        width: feature maps at half the image's resolution; they double with each halving of it, up to 8 * width.
            None: 64, and 32 for images of at most 16 pixels.
        discriminator_norm: norm after the discriminator's convolutions; a gradient penalty needs ``layer`` or ``none``.
    """

    latent_dim: int = 100
    width: int | None = None
    discriminator_norm: Literal["batch", "layer", "none"] = "batch"

    def __post_init__(self) -> None:
        if self.latent_dim < 1 or (self.width is not None and self.width < 1):
            raise ValueError("latent_dim and width must be at least 1")


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One architecture and one model."""
    yield Architecture(
        name="dcgan",
        summary="strided and transposed convolutions with BatchNorm",
        generator="ganzoo_plugins.dcgan.networks:Generator",
        discriminator="ganzoo_plugins.dcgan.networks:Discriminator",
        options=Options,
        resolutions=(8, 16, 32, 64, 128, 256),
    )
    yield Model(
        name="dcgan",
        measured="ganzoo_plugins.dcgan:measured.json",
        summary="DCGAN with the non-saturating loss",
        paper="Radford et al., 2015",
        year=2015,
        reference="https://arxiv.org/abs/1511.06434",
        code="https://github.com/Newmu/dcgan_code",
        architecture="dcgan",
        loss="non-saturating",
        defaults={"batch": 64, "steps": 50_000, "generator": ADAM, "discriminator": ADAM},
        defaults_up_to={8: {"steps": 4_000, "preview_every": 200}, 16: {"steps": 8_000}},
        presets={
            "small": Preset(summary="half as wide and faster, for a CPU", defaults=SMALL, resolutions=(32, 64)),
        },
    )
