"""RingGAN: latents of length 1, and an absolute loss."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganzoo import Architecture, Loss, Model, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set.

    Args:
        latent_dim: size of z.
        width: units of the hidden layers.
    """

    latent_dim: int = 16
    width: int = 64


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """An architecture, a loss, and the model that they make."""
    yield Architecture(
        name="ring",
        summary="perceptrons whose latents have length 1",
        generator="ganzoo_ringgan.networks:Generator",
        discriminator="ganzoo_ringgan.networks:Discriminator",
        options=Options,
        resolutions=(8, 16, 32),
    )
    yield Loss(name="absolute", summary="least absolute deviations", target="ganzoo_ringgan.loss:Absolute")
    yield Model(
        name="ringgan",
        summary="perceptrons with an absolute loss",
        architecture="ring",
        loss="absolute",
        defaults={"batch": 32, "steps": 500, "generator": {"lr": 1e-3}, "discriminator": {"lr": 1e-3}},
    )
