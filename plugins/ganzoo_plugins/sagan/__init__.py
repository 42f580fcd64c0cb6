"""SAGAN (Zhang et al., 2019, https://arxiv.org/abs/1805.08318): self-attention in both networks, spectral norm in both.

Adam with rates of 1e-4 and 4e-4 (TTUR; Heusel et al., 2017), betas 0 and .9, one critic step, batch 256, hinge loss,
128 normal latents, conditional BatchNorm and projection: the paper, section 4, and brain-research/self-attention-gan.
Its million steps are for ImageNet; 100,000 are those of its CIFAR-10 configuration in StudioGAN, from which the places
of attention at 32 pixels are (behind the generator's second block and the discriminator's first), too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganzoo import Architecture, Model, Preset, hookimpl
from ganzoo_plugins import wgan_gp_resnet
from ganzoo_plugins.sngan import SMALL, UP_TO

if TYPE_CHECKING:
    from ganzoo import Spec


@dataclass(frozen=True, kw_only=True)
class Options(wgan_gp_resnet.Options):
    """The options of SAGAN: those of residual networks; at least 8 feature maps, an eighth of which attend."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(width is not None and width < 8 for width in (self.width, self.discriminator_width)):
            raise ValueError("width and discriminator_width must be at least 8: attention takes an eighth")


def adam(lr: float) -> dict[str, object]:
    """Adam as SAGAN has it."""
    return {"lr": lr, "betas": [0.0, 0.9]}


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One architecture and one model."""
    yield Architecture(
        name="sagan",
        summary="projection's networks with self-attention, spectral norm in both",
        generator="ganzoo_plugins.sagan.networks:Generator",
        discriminator="ganzoo_plugins.sagan.networks:Discriminator",
        options=Options,
        resolutions=(8, 16, 32, 64, 128),
        conditional=True,
    )
    yield Model(
        name="sagan",
        measured="ganzoo_plugins.sagan:measured.json",
        summary="class-conditional GAN with self-attention",
        paper="Zhang et al., 2019",
        year=2019,
        reference="https://arxiv.org/abs/1805.08318",
        code="https://github.com/brain-research/self-attention-gan",
        architecture="sagan",
        loss="hinge",
        defaults={
            "batch": 256,
            "steps": 100_000,
            "fake_labels": "uniform",
            "generator": adam(1e-4),
            "discriminator": adam(4e-4),
        },
        defaults_up_to=UP_TO,
        presets={"small": Preset(summary="narrow networks, for a CPU", defaults=SMALL, resolutions=(32, 64))},
    )
