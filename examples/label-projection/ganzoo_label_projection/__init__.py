"""SNGAN with a projection discriminator (Miyato and Koyama, 2018): conditional, spectrally normalised, hinge loss."""

from dataclasses import dataclass

from ganzoo import Architecture, Model, hookimpl


def adam(lr):
    return {"lr": lr, "betas": [0.0, 0.9]}


@dataclass(frozen=True, kw_only=True)
class Options:
    """What ``--set options.KEY=VALUE`` sets.

    Args:
        latent_dim: length of z.
        width: feature maps of all blocks.
    """

    latent_dim: int = 64
    width: int = 64


@hookimpl
def ganzoo_specs():
    yield Architecture(
        name="label-projection",
        summary="residual blocks of ganzoo.layers; the label by conditional BatchNorm and by projection",
        generator="ganzoo_label_projection.networks:Generator",
        discriminator="ganzoo_label_projection.networks:Discriminator",
        options=Options,
        resolutions=(8, 16, 32, 64),
        conditional=True,
    )
    yield Model(
        name="label-projection",
        summary="class-conditional SNGAN",
        paper="Miyato and Koyama, 2018",
        year=2018,
        reference="https://arxiv.org/abs/1802.05637",
        architecture="label-projection",
        loss="hinge",
        defaults={"steps": 5000, "generator": adam(5e-4), "discriminator": adam(1e-3)},
        defaults_up_to={8: {"steps": 1000}},
    )
