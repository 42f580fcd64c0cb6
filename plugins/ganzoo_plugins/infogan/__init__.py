"""InfoGAN (Chen et al., 2016, https://arxiv.org/abs/1606.03657): some latents are codes that can be read off an image.

As on MNIST (appendix C.1): one categorical code of 10, two continuous ones on (-1, 1), 62 numbers of noise, weight 1.
Networks are DCGAN's, and Q, which reads the codes, is a convolution of 128, a norm and another convolution on the
discriminator's last features. Adam(2e-4, 0, .9), linear to 0, 5 critic steps, batch 64: of mimicry's
reimplementations; the paper has Adam with a first beta of .5, and 2e-4 and 1e-3 for the two networks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganzoo import Architecture, Control, Loss, Model, Preset, hookimpl
from ganzoo_plugins import dcgan

if TYPE_CHECKING:
    from ganzoo import Spec

ADAM = {"lr": 2e-4, "betas": [0.0, 0.9]}
FASTER = {"lr": 1e-3, "betas": [0.0, 0.9]}
TINY = {
    "critic_steps": 1,
    "schedule": "constant",
    "ema_kimg": 5.0,
    "generator": FASTER,
    "discriminator": FASTER,
}
"""For images of at most 16 pixels: on digits the Fréchet distance is 12 after 2,000 steps."""

HALF_AS_FAST = {"lr": 5e-4, "betas": [0.0, 0.9]}
SMALL = {
    "steps": 12_000,
    "critic_steps": 1,
    "ema_kimg": 5.0,
    "options": {"width": 32},
    "generator": HALF_AS_FAST,
    "discriminator": HALF_AS_FAST,
}
MOST_CATEGORIES = 10


@dataclass(frozen=True, kw_only=True)
class Options(dcgan.Options):
    """The options of InfoGAN: DCGAN's, and

    Args:
        latent_dim: how many latents are noise; z has those of the codes before it.
        categories: how many values the categorical code has, 2 to 10.
        continuous: how many continuous codes there are.
    """

    latent_dim: int = 62
    categories: int = 10
    continuous: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.categories <= MOST_CATEGORIES:
            raise ValueError(f"categories must be 2 to {MOST_CATEGORIES}, and {self.categories} is not")
        if self.continuous < 1:
            raise ValueError(f"continuous must be at least 1, and {self.continuous} is not")


@dataclass(frozen=True, kw_only=True)
class LossOptions:
    """The options of InfoGAN's loss.

    Args:
        categorical, continuous: what the mutual information of either kind of code is multiplied by; lambda.
    """

    categorical: float = 1.0
    continuous: float = 1.0

    def __post_init__(self) -> None:
        if self.categorical < 0 or self.continuous < 0:
            raise ValueError("categorical and continuous must be at least 0")


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One architecture, one loss and one model."""
    yield Architecture(
        name="infogan",
        summary="DCGAN with codes among its latents, and a discriminator that reads them",
        generator="ganzoo_plugins.infogan.networks:Generator",
        discriminator="ganzoo_plugins.infogan.networks:Discriminator",
        options=Options,
        resolutions=(8, 16, 32, 64, 128, 256),
        controls={
            "code": Control(default=-1, low=-1, high=MOST_CATEGORIES - 1),
            "first": Control(default=0, low=-2, high=2),
            "second": Control(default=0, low=-2, high=2),
        },
    )
    yield Loss(
        name="infogan",
        summary="non-saturating, with the mutual information of codes and images: Chen et al., 2016",
        target="ganzoo_plugins.infogan.losses:InfoGAN",
        options=LossOptions,
        reads=("categorical", "continuous"),
    )
    yield Model(
        name="infogan",
        measured="ganzoo_plugins.infogan:measured.json",
        summary="codes without labels: what a class or a slant is, it finds by itself; choose them by controls",
        architecture="infogan",
        loss="infogan",
        defaults={
            "batch": 64,
            "steps": 100_000,
            "critic_steps": 5,
            "schedule": "linear",
            "generator": ADAM,
            "discriminator": ADAM,
        },
        defaults_up_to={8: {"steps": 2_000, "preview_every": 100, **TINY}, 16: {"steps": 5_000, **TINY}},
        presets={
            "small": Preset(summary="half as wide and faster, for a CPU", defaults=SMALL, resolutions=(32, 64)),
        },
        paper="Chen et al., 2016",
        year=2016,
        reference="https://arxiv.org/abs/1606.03657",
        code="https://github.com/openai/InfoGAN",
    )
