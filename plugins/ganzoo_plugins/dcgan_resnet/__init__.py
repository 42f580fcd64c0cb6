"""DCGAN's generator (Radford et al., 2015) with a residual discriminator: a pair that many tutorials and courses train.

The discriminator is SNGAN's (Miyato et al., 2018), with spectral norm. All else is DCGAN's: Adam(2e-4, .5, .999),
batch 64, 100 normal latents, 64 feature maps in the generator, non-saturating loss.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganzoo import Model, Preset, hookimpl
from ganzoo_plugins.dcgan import ADAM

if TYPE_CHECKING:
    from ganzoo import Spec

FASTER = {"lr": 1e-3, "betas": [0.0, 0.9]}
EIGHT = {"steps": 800, "ema_kimg": 3.0, "preview_every": 100, "generator": FASTER, "discriminator": FASTER}
"""For images of 8 pixels, and with more steps 16: not the papers', but what makes digits in 20 s of a core."""


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One model of two others' networks."""
    yield Model(
        name="dcgan-resnet",
        measured="ganzoo_plugins.dcgan_resnet:measured.json",
        summary="DCGAN's generator with SNGAN's residual discriminator",
        paper="Radford et al., 2015; Miyato et al., 2018",
        year=2018,
        reference="https://arxiv.org/abs/1511.06434",
        architecture="dcgan",
        loss="non-saturating",
        defaults={
            "discriminator_of": "sngan",
            "batch": 64,
            "steps": 50_000,
            "generator": ADAM,
            "discriminator": ADAM,
        },
        defaults_up_to={8: EIGHT, 16: {**EIGHT, "steps": 3_000}},
        presets={
            "small": Preset(
                summary="narrow networks and faster rates, for a CPU",
                defaults={
                    "steps": 4_000,
                    "ema_kimg": 5.0,
                    "options": {"latent_dim": 64, "width": 32},
                    "discriminator_options": {"discriminator_width": 24, "doubling": True},
                    "generator": FASTER,
                    "discriminator": FASTER,
                },
                resolutions=(32, 64),
            )
        },
    )
