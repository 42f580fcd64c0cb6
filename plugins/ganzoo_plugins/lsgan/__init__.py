"""LSGAN (Mao et al., 2017, https://arxiv.org/abs/1611.04076): DCGAN's networks, trained by least squares.

Adam(2e-4, .5, .999) and batch 64, as its authors' code trains on handwritten characters (on LSUN the rate is 1e-3);
targets 0, 1 and 1 (equation 9). Networks, latents and their initialisation are DCGAN's.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganzoo import Model, Preset, hookimpl
from ganzoo_plugins import dcgan

if TYPE_CHECKING:
    from ganzoo import Spec

ADAM = {"lr": 2e-4, "betas": [0.5, 0.999]}
FASTER = {"lr": 1e-3, "betas": [0.0, 0.9]}
TINY = {
    "ema_kimg": 3.0,
    "options": {"discriminator_norm": "none"},
    "generator": FASTER,
    "discriminator": FASTER,
}
"""For images of at most 16 pixels: on digits the Fréchet distance after 2,000 steps is 9, and 13 with BatchNorm in the
discriminator; it grows again from there."""

SMALL = {**dcgan.SMALL, "options": {"width": 32, "discriminator_norm": "none"}}
"""On 10,000 of MNIST's digits the Fréchet distance is .085 after 2,500 steps, .075 after 4,000, and .17 after 7,500."""


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One model."""
    yield Model(
        name="lsgan",
        measured="ganzoo_plugins.lsgan:measured.json",
        summary="DCGAN with least squares instead of logarithms",
        architecture="dcgan",
        loss="lsgan",
        defaults={"batch": 64, "steps": 50_000, "generator": ADAM, "discriminator": ADAM},
        defaults_up_to={8: {"steps": 2_000, "preview_every": 100, **TINY}, 16: {"steps": 5_000, **TINY}},
        presets={
            "small": Preset(
                summary="half as wide and faster, for a CPU",
                defaults=SMALL,
                resolutions=(32, 64),
            )
        },
        paper="Mao et al., 2017",
        year=2017,
        reference="https://arxiv.org/abs/1611.04076",
        code="https://github.com/xudonmao/LSGAN",
    )
