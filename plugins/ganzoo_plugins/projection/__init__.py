"""cGAN with a projection discriminator (Miyato and Koyama, 2018, https://arxiv.org/abs/1802.05637): SNGAN with labels.

The generator's BatchNorm depends on the label (Dumoulin et al., 2017); the discriminator adds the projection of its
features on the label's embedding. All else is SNGAN's: pfnet-research/sngan_projection, ``sn_cifar10_conditional.yml``.
Fakes have any label with equal probability, as there.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganzoo import Architecture, Model, Preset, hookimpl
from ganzoo_plugins.sngan import ADAM, SMALL, UP_TO
from ganzoo_plugins.wgan_gp_resnet import Options

if TYPE_CHECKING:
    from ganzoo import Spec


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One architecture and one model; the networks are SNGAN's, built for classes."""
    yield Architecture(
        name="projection",
        summary="SNGAN's networks, conditional BatchNorm, a projection discriminator",
        generator="ganzoo_plugins.sngan.networks:Generator",
        discriminator="ganzoo_plugins.sngan.networks:Discriminator",
        options=Options,
        resolutions=(8, 16, 32, 64, 128),
        conditional=True,
    )
    yield Model(
        name="projection",
        measured="ganzoo_plugins.projection:measured.json",
        summary="class-conditional SNGAN",
        paper="Miyato and Koyama, 2018",
        year=2018,
        reference="https://arxiv.org/abs/1802.05637",
        code="https://github.com/pfnet-research/sngan_projection",
        architecture="projection",
        loss="hinge",
        defaults={
            "batch": 64,
            "steps": 50_000,
            "critic_steps": 5,
            "schedule": "linear",
            "fake_labels": "uniform",
            "generator": ADAM,
            "discriminator": ADAM,
        },
        defaults_up_to=UP_TO,
        presets={"small": Preset(summary="narrow networks, for a CPU", defaults=SMALL, resolutions=(32, 64))},
    )
