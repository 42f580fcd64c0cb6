"""R3GAN (Huang et al., 2024, https://arxiv.org/abs/2501.05441): a regularised relativistic loss, and modern networks.

Numbers from the authors' code, https://github.com/brownvc/R3GAN (``train.py``, preset ``CIFAR10``; ``Networks.py``,
``Trainer.py``): batch 512, 250 Mimg, 64 latents, width 768 in four stages of 2 blocks, expansion 2, 96 groups of 16
channels. Five numbers change by a cosine over the first 20 Mimg, 8 % of the run, and then stay: Adam's rate from 2e-4
to 5e-5 and its beta2 from .9 to .99, gamma of R1 and R2 from .05 to .005, the half-life of the average from 0 to 5
Mimg, and the augmentation's probability from 0 to .55: ADA's changes, here ``bgc``; theirs change colours half as
often, and also cut out. Their CIFAR-10 models are conditional: ``r3gan-conditional``.

At 64 pixels and above, the width halves with each doubling of the size, as in its presets for FFHQ.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ganzoo import Architecture, Model, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of R3GAN.

    Args:
        latent_dim: length of z.
        width: feature maps at the low resolutions. None: 768, and 64 for images of at most 16 pixels.
        wide_to: the last of these, in pixels; there are half as many maps at twice as many pixels, and so on.
        blocks: residual blocks at each resolution.
        expansion: how many times as many maps the grouped convolution of a block has.
        group: maps in a group of it; a divisor of ``expansion`` times the width.
    """

    latent_dim: int = 64
    width: int | None = None
    wide_to: int = 32
    blocks: int = 2
    expansion: int = 2
    group: int = 16

    def __post_init__(self) -> None:
        numbers = (self.latent_dim, self.width, self.wide_to, self.blocks, self.expansion, self.group)
        if min(number for number in numbers if number is not None) < 1:
            raise ValueError("latent_dim, width, wide_to, blocks, expansion and group must be at least 1")


def cosine(start: float, to: float, until: str = "8%") -> dict[str, Any]:
    """From one value to another by half a cosine: over 20 of 250 Mimg, unless another share of the run is given."""
    return {"from": start, "to": to, "until": until, "curve": "cosine"}


def adam(lr: float | dict[str, Any], beta2: float | dict[str, Any]) -> dict[str, Any]:
    """A network's optimizer, without momentum."""
    return {"lr": lr, "betas": [0.0, beta2]}


def penalties(gamma: float | dict[str, Any]) -> dict[str, Any]:
    """R1 and R2 of one weight: gamma / 2 times the mean squared norm of each gradient."""
    return {"r1": {"weight": gamma}, "r2": {"weight": gamma}}


PUBLISHED = {
    "batch": 512,
    "steps": 488_282,
    "generator": adam(cosine(2e-4, 5e-5), cosine(0.9, 0.99)),
    "discriminator": adam(cosine(2e-4, 5e-5), cosine(0.9, 0.99)),
    "penalties": penalties(cosine(0.05, 0.005)),
    "ema_kimg": cosine(1e-3, 5000.0),  # a half-life of one image is as good as 0, which an average cannot have
    "augment": "bgc",
    "augment_options": {"p": cosine(0.0, 0.55)},
}

TINY = {
    "batch": 64,
    "steps": 1000,
    "generator": adam(1e-3, 0.99),
    "discriminator": adam(1e-3, 0.99),
    "penalties": penalties(1.0),
    "ema_kimg": 3.0,
    "augment": "",
}


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """The architecture and the model, without labels and with."""
    architecture = Architecture(
        name="r3gan",
        summary="grouped residual blocks without norms, initialised by Fixup",
        generator="ganzoo_plugins.r3gan.networks:Generator",
        discriminator="ganzoo_plugins.r3gan.networks:Discriminator",
        options=Options,
        resolutions=(8, 16, 32, 64, 128, 256),
    )
    model = Model(
        name="r3gan",
        summary="relativistic pairing with R1 and R2 and modern networks",
        paper="Huang et al., 2024",
        year=2024,
        reference="https://arxiv.org/abs/2501.05441",
        code="https://github.com/brownvc/R3GAN",
        architecture="r3gan",
        loss="rpgan",
        defaults=PUBLISHED,
        defaults_up_to={8: TINY, 16: TINY},
    )
    yield architecture
    yield replace(architecture, name="r3gan-conditional", conditional=True)
    yield model
    yield replace(model, name="r3gan-conditional", architecture="r3gan-conditional")
