"""SNGAN (Miyato et al., 2018, https://arxiv.org/abs/1802.05957): spectral norm in a residual discriminator, hinge loss.

Adam(2e-4, 0, .9), falling to 0 linearly from step 0 on, 5 critic steps, batch 64, 50,000 steps, 128 normal latents,
256 feature maps in the generator and 128 in the discriminator, Glorot initialisation:
pfnet-research/sngan_projection, ``sn_cifar10_unconditional.yml``, ``resnet_32.py`` and ``snresnet_32.py``. Without its
128 fakes for each of the generator's updates: here a step has one batch.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganzoo import Architecture, Model, Preset, hookimpl
from ganzoo_plugins.wgan_gp_resnet import FASTER, FASTEST, NARROW, Options

if TYPE_CHECKING:
    from ganzoo import Spec

ADAM = {"lr": 2e-4, "betas": [0.0, 0.9]}

SMALL = {
    "batch": 64,
    "steps": 4_000,
    "critic_steps": 1,
    "schedule": "linear",
    "ema_kimg": 5.0,
    "fake_labels": "real",
    "options": NARROW,
    "generator": FASTER,
    "discriminator": FASTER,
}
"""Narrow networks, one critic step, faster rates and a shorter average: minutes of a CPU."""

EIGHT = {
    "batch": 64,
    "steps": 600,
    "critic_steps": 1,
    "schedule": "linear",
    "ema_kimg": 3.0,
    "fake_labels": "real",
    "preview_every": 100,
    "options": {"width": 64, "discriminator_width": 64},
    "generator": FASTEST,
    "discriminator": FASTEST,
}
"""For images of 8 pixels, and with more steps 16: not the paper's, but what makes digits in half a minute of a core."""

UP_TO = {8: EIGHT, 16: {**EIGHT, "steps": 3_000}}


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One architecture and one model."""
    yield Architecture(
        name="sngan",
        summary="residual blocks, spectral norm in the discriminator",
        generator="ganzoo_plugins.sngan.networks:Generator",
        discriminator="ganzoo_plugins.sngan.networks:Discriminator",
        options=Options,
        resolutions=(8, 16, 32, 64, 128),
    )
    yield Model(
        name="sngan",
        measured="ganzoo_plugins.sngan:measured.json",
        summary="spectrally normalised GAN",
        paper="Miyato et al., 2018",
        year=2018,
        reference="https://arxiv.org/abs/1802.05957",
        code="https://github.com/pfnet-research/sngan_projection",
        architecture="sngan",
        loss="hinge",
        defaults={
            "batch": 64,
            "steps": 50_000,
            "critic_steps": 5,
            "schedule": "linear",
            "generator": ADAM,
            "discriminator": ADAM,
        },
        defaults_up_to=UP_TO,
        presets={"small": Preset(summary="narrow networks, for a CPU", defaults=SMALL, resolutions=(32, 64))},
    )
