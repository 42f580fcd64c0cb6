"""The first GAN: two multi-layer perceptrons (Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661).

Widths and optimizer are as in the form that is trained today: Adam(2e-4, .5, .999), generator 128-256-512-1024,
discriminator 512-256, 100 normal latents. Widths shrink with the image: the widest layer has at most 1024 units.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganzoo import Architecture, Model, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec

ADAM = {"lr": 2e-4, "betas": [0.5, 0.999]}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the perceptrons.

    Args:
        latent_dim: length of z.
        width: units of the generator's first hidden layer; they double three times. The discriminator's layers have
            4 and 2 times as many.
    """

    latent_dim: int = 100
    width: int = 128

    def __post_init__(self) -> None:
        if self.latent_dim < 1 or self.width < 1:
            raise ValueError("latent_dim and width must be at least 1")


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One architecture and one model."""
    yield Architecture(
        name="vanilla",
        summary="multi-layer perceptrons",
        generator="ganzoo_plugins.vanilla.networks:Generator",
        discriminator="ganzoo_plugins.vanilla.networks:Discriminator",
        options=Options,
        resolutions=(8, 16, 32, 64),
    )
    yield Model(
        name="vanilla",
        measured="ganzoo_plugins.vanilla:measured.json",
        summary="the GAN of 2014: perceptrons and the non-saturating loss",
        paper="Goodfellow et al., 2014",
        year=2014,
        reference="https://arxiv.org/abs/1406.2661",
        code="https://github.com/goodfeli/adversarial",
        architecture="vanilla",
        loss="non-saturating",
        defaults={"batch": 64, "steps": 50_000, "generator": ADAM, "discriminator": ADAM},
        defaults_up_to={8: {"steps": 4_000, "preview_every": 200}, 16: {"steps": 5_000}},
    )
