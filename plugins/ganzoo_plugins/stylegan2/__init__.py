"""StyleGAN2 (Karras et al., 2020, https://arxiv.org/abs/1912.04958), in the form for small images of its ADA code.

That is ``cfg_specs['cifar']`` in ``train.py`` of https://github.com/NVlabs/stylegan2-ada-pytorch (Karras et al., 2020,
https://arxiv.org/abs/2006.06676): Adam(2.5e-3, 0, .99), batch 64, 2 layers of mapping at a hundredth of the rate, z and
w of 512 numbers, 512 feature maps (32,768 divided by their side, at most 512), standard deviation over 32 images,
R1 of weight .01 in every 16th step, an average with a half-life of 500 kimg (5 % of what was shown at first), 100
million images; no path length regularisation, no style mixing.

The weight .01 is for 32 pixels. For others that code has .0002 * side^2 / batch: .05 at 128 pixels and a batch of 64.

Its optimizers are given c times the rate and betas^c, c = 16 / 17 for the discriminator and 4 / 5 for the generator
(``training_loop.py``), and so are ours. There R1 is an update of its own, here a term of the 16th one; and with ADA it
is taken at images before the augmentation, here at those that the discriminator sees.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ganzoo import Architecture, Model, Preset, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of StyleGAN2.

    Args:
        latent_dim: length of z.
        style_dim: length of w.
        mapping_layers: between them.
        channel_base: feature maps are this number divided by their side, but at most ``width``.
        width: most feature maps. None: 512, and 32 for images of at most 16 pixels.
        stddev_group: images in a group of which the discriminator sees the standard deviation.
    """

    latent_dim: int = 512
    style_dim: int = 512
    mapping_layers: int = 2
    channel_base: int = 32_768
    width: int | None = None
    stddev_group: int = 32

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1")


def adam(rate: float, interval: int) -> dict[str, Any]:
    """Adam as the code makes it where a regularisation acts in every ``interval``-th step."""
    c = interval / (interval + 1)
    return {"lr": rate * c, "betas": [0.0, 0.99**c]}


def short(rate: float, steps: int, r1: float) -> dict[str, Any]:
    """For narrow networks and few steps: a rate that falls to a tenth at the end of them, and more R1.

    Equalised layers divide a rate by the root of their fan-in. On digits FD after 400 steps was 53 with 1e-2, 41 with
    2e-2, and 52 with 4e-2 (32 feature maps, constant rates, one training each).
    """
    falling = {"lr": {"from": rate, "to": rate / 10, "until": steps}, "betas": [0.0, 0.99]}
    return {
        "steps": steps,
        "generator": falling,
        "discriminator": falling,
        "penalties": {"r1": {"weight": r1, "every": 4}},
        "ema_kimg": 3.0,
        "options": {"latent_dim": 64, "style_dim": 64},
    }


SMALL = {
    **short(7e-3, 8_000, 5.0),
    "batch": 32,
    "preview_every": 500,
    "ema_kimg": 5.0,
    "options": {"latent_dim": 64, "style_dim": 64, "channel_base": 512, "width": 64},
}


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One architecture and one model."""
    yield Architecture(
        name="stylegan2",
        summary="modulated convolutions of a constant, sums of images, plain discriminator",
        generator="ganzoo_plugins.stylegan2.networks:Generator",
        discriminator="ganzoo_plugins.stylegan2.networks:Discriminator",
        options=Options,
        resolutions=(8, 16, 32, 64, 128, 256),
        batch_coupled=True,
        controls={"truncation": 1.0},
    )
    yield Model(
        name="stylegan2",
        measured="ganzoo_plugins.stylegan2:measured.json",
        summary="StyleGAN2 as configured for CIFAR-10; for few images with --augment ada",
        paper="Karras et al., 2020",
        year=2020,
        reference="https://arxiv.org/abs/1912.04958",
        code="https://github.com/NVlabs/stylegan2-ada-pytorch",
        architecture="stylegan2",
        loss="non-saturating",
        defaults={
            "batch": 64,
            "steps": 1_562_500,
            "generator": adam(2.5e-3, 4),
            "discriminator": adam(2.5e-3, 16),
            "penalties": {"r1": {"weight": 0.01, "every": 16}},
            "ema_kimg": 500.0,
        },
        defaults_up_to={
            8: {**short(2e-2, 2_500, 1.0), "preview_every": 100},
            16: short(1e-2, 4_000, 2.0),
        },
        presets={
            "small": Preset(summary="narrow, fast and short, for a CPU", defaults=SMALL, resolutions=(32, 64)),
        },
    )
