"""BigGAN (Brock et al., 2019, https://arxiv.org/abs/1809.11096), with the recipe of its authors' code for CIFAR-10.

ajbrock/BigGAN-PyTorch, ``launch_cifar_ema.sh``: Adam(2e-4, 0, .999), 4 critic steps, batch 50, 500 epochs, 128 normal
latents, 256 feature maps (``ch`` 64), weights drawn from N(0, .02), no attention, no orthogonal regularisation, an
average that keeps .9999 of itself a step. Two things of the paper that the script leaves out are here: the shared
embedding, and z in slices (section 3 and appendix B). The other recipe that people follow, StudioGAN's, differs in
batch, betas, critic steps, width, z, attention and initialisation: ``--set preset=studiogan``.

The average is counted in images here. What keeps a share d of itself a step halves in n steps, d^n = 1/2, of c batches
of B images each: ``ema_kimg`` = B c ln(1/2) / ln d / 1000. It is 1386.2 for the script, and 2217.9 for StudioGAN. Both
begin at step 1,000 there; here the half-life is at most 5 % of what was shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Literal

from ganzoo import Architecture, Model, Preset, hookimpl
from ganzoo_plugins.sngan import SMALL, UP_TO
from ganzoo_plugins.wgan_gp_resnet import NARROW

if TYPE_CHECKING:
    from ganzoo import Spec


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of BigGAN.

    Args:
        latent_dim: length of z; one slice goes into the first layer, one into each block, so that what is left over
            of a division by their number is dropped.
        embedding_dim: length of the labels' shared embedding.
        width: feature maps next to the generator's image. None: 256 for 32 pixels (the paper's ``ch`` is 64), in
            proportion for fewer, and 64 for more.
        discriminator_width: the same of the discriminator.
        doubling: whether they double with each halving of the side, up to 16 times as many at 4 pixels. None: for more
            than 32 pixels.
        attention: whether both networks have self-attention where the map has half the image's side, at most 64 pixels.
        initialisation: how weights are drawn: from N(0, .02), or orthogonal (the paper's).
    """

    latent_dim: int = 128
    embedding_dim: int = 128
    width: int | None = None
    discriminator_width: int | None = None
    doubling: bool | None = None
    attention: bool = False
    initialisation: Literal["normal", "orthogonal"] = "normal"

    def __post_init__(self) -> None:
        widths = [width for width in (self.width, self.discriminator_width) if width is not None]
        if min(self.latent_dim, self.embedding_dim, *widths) < 1:
            raise ValueError("latent_dim, embedding_dim, width and discriminator_width must be at least 1")
        if self.attention and min(widths, default=8) < 8:
            raise ValueError("with attention, width and discriminator_width must be at least 8")


def adam(beta1: float) -> dict[str, object]:
    """Adam as both recipes have it, but for its first decay rate."""
    return {"lr": 2e-4, "betas": [beta1, 0.999]}


def half_life(decay: float, batch: int, critic_steps: int) -> float:
    """``ema_kimg`` of an average that keeps the share ``decay`` of itself a step."""
    return round(batch * critic_steps * log(0.5) / log(decay) / 1000, 1)


SCRIPT = {
    "batch": 50,
    "steps": 125_000,
    "critic_steps": 4,
    "ema_kimg": half_life(0.9999, 50, 4),
    "fake_labels": "uniform",
    "generator": {**adam(0.0), "regularise": {"weight": 0.0}},
    "discriminator": adam(0.0),
}
"""``launch_cifar_ema.sh``: 500 epochs of 50,000 images are 125,000 steps of 4 batches."""

STUDIOGAN = {
    "batch": 64,
    "steps": 100_000,
    "critic_steps": 5,
    "ema_kimg": half_life(0.9999, 64, 5),
    "generator": adam(0.5),
    "discriminator": adam(0.5),
    "options": {
        "latent_dim": 80,
        "width": 384,
        "discriminator_width": 192,
        "attention": True,
        "initialisation": "orthogonal",
    },
}
"""``BigGAN.yaml`` over ``config.py``, and ``big_resnet.py``: ``ch`` 96, times 4 in the generator, 2 in the other."""

FAST = {"lr": 1e-3, "betas": [0.0, 0.9]}
FASTEST = {"lr": 2e-3, "betas": [0.0, 0.9]}
SMALLEST = {
    "options": {"latent_dim": 64, "embedding_dim": 32, "width": 32, "discriminator_width": 32, "doubling": True},
    "generator": FASTEST,
    "discriminator": FASTEST,
}
"""What differs from SNGAN's defaults for images of at most 16 pixels."""


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One architecture and one model."""
    yield Architecture(
        name="biggan",
        summary="residual blocks that see z and a shared embedding of the label, spectral norm in both",
        generator="ganzoo_plugins.biggan.networks:Generator",
        discriminator="ganzoo_plugins.biggan.networks:Discriminator",
        options=Options,
        resolutions=(8, 16, 32, 64, 128, 256),
        conditional=True,
        controls={"truncation": 1.0},
    )
    yield Model(
        name="biggan",
        measured="ganzoo_plugins.biggan:measured.json",
        summary="class-conditional GAN with a shared embedding, z in slices, and truncation",
        paper="Brock et al., 2019",
        year=2019,
        reference="https://arxiv.org/abs/1809.11096",
        code="https://github.com/ajbrock/BigGAN-PyTorch",
        architecture="biggan",
        loss="hinge",
        defaults=SCRIPT,
        defaults_up_to={8: {**UP_TO[8], **SMALLEST, "steps": 1_000}, 16: {**UP_TO[16], **SMALLEST}},
        presets={
            "launch-cifar-ema": Preset(
                summary="BigGAN-PyTorch's for CIFAR-10: the defaults", defaults=SCRIPT, resolutions=(32, 64, 128, 256)
            ),
            "studiogan": Preset(summary="StudioGAN's for CIFAR-10", defaults=STUDIOGAN, resolutions=(32,)),
            "small": Preset(
                summary="narrow networks, for a CPU",
                defaults={
                    **SMALL,
                    "options": {**NARROW, "embedding_dim": 32, "initialisation": "orthogonal"},
                    "generator": FAST,
                    "discriminator": FAST,
                },
                resolutions=(32, 64),
            ),
        },
    )
