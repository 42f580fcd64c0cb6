"""R3GAN (Huang et al., 2024, https://arxiv.org/abs/2501.05441): a regularised relativistic loss, and modern networks.

Numbers from the authors' code, https://github.com/brownvc/R3GAN (``train.py``, preset ``CIFAR10``; ``Networks.py``,
``Trainer.py``): batch 512, 250 Mimg, 64 latents, width 768 in four stages of 2 blocks, expansion 2, 96 groups of 16
channels. Five numbers change by a cosine over the first 20 Mimg, 8 % of the run, and then stay: Adam's rate from 2e-4
to 5e-5 and its beta2 from .9 to .99, gamma of R1 and R2 from .05 to .005, the half-life of the average from 0 to 5
Mimg, and the augmentation's probability from 0 to .55: ADA's changes, here ``bgc``; theirs change colours half as
often, and also cut out. They penalise the gradient at images before the augmentation, ganzoo at those that the
discriminator sees: at p = .55 about 1.5 times less for the same gamma. Their CIFAR-10 models are conditional:
``r3gan-conditional``.

At 64 pixels and above, the width halves with each doubling of the size, as in its presets for FFHQ.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ganzoo import Architecture, Model, Preset, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of R3GAN.

    Args:
        latent_dim: length of z.
        width: feature maps at the low resolutions. None: 768, and 48 for images of at most 16 pixels.
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


def cosine(start: float, to: float, until: str) -> dict[str, Any]:
    """From one value to another by half a cosine, over a share of the run."""
    return {"from": start, "to": to, "until": until, "curve": "cosine"}


def scheduled(lr: tuple[float, float], gamma: tuple[float, float], until: str, every: int = 1) -> dict[str, Any]:
    """Adam's rate and beta2, of both networks, and gamma, of both penalties: where they start, and where they end."""
    adam = {"lr": cosine(*lr, until), "betas": [0.0, cosine(0.9, 0.99, until)]}
    penalty = {"weight": cosine(*gamma, until), "every": every}
    return {"generator": adam, "discriminator": adam, "penalties": {"r1": penalty, "r2": penalty}}


PUBLISHED = {
    "batch": 512,
    "steps": 488_282,
    "ema_kimg": cosine(1e-3, 5000.0, "8%"),  # a half-life of one image is as good as 0, which an average cannot have
    "augment": "bgc",
    "augment_options": {"p": cosine(0.0, 0.55, "8%")},
    **scheduled((2e-4, 5e-5), (0.05, 0.005), "8%"),
}

FAST = {"precision": "fp32", "augment": "", "ema_kimg": 2.0}
"""For narrow networks on a CPU, which is slower at grouped convolutions in bf16. The penalties, which are two thirds of
the arithmetic, then act in few of the steps, and everything falls until the end."""

TINY = {
    "batch": 16,
    "options": {"width": 96, "wide_to": 4, "blocks": 1},
    **FAST,
    **scheduled((4e-3, 2e-4), (0.5, 0.05), "100%", every=8),
}
SMALL = {
    "batch": 32,
    "steps": 4_000,
    "options": {"width": 192, "wide_to": 4, "blocks": 1, "group": 8},
    **FAST,
    **scheduled((2e-3, 2e-4), (10.0, 2.0), "100%", every=4),
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
        measured="ganzoo_plugins.r3gan:measured.json",
        summary="relativistic pairing with R1 and R2 and modern networks",
        paper="Huang et al., 2024",
        year=2024,
        reference="https://arxiv.org/abs/2501.05441",
        code="https://github.com/brownvc/R3GAN",
        architecture="r3gan",
        loss="rpgan",
        defaults=PUBLISHED,
        defaults_up_to={8: {"steps": 3_500, "preview_every": 200, **TINY}, 16: {"steps": 4_000, **TINY}},
        presets={"small": Preset(summary="narrow and faster, for a CPU", defaults=SMALL, resolutions=(32, 64))},
    )
    yield architecture
    yield replace(architecture, name="r3gan-conditional", conditional=True)
    yield model
    others = "ganzoo_plugins.r3gan:measured-conditional.json"
    yield replace(model, name="r3gan-conditional", architecture="r3gan-conditional", measured=others)
