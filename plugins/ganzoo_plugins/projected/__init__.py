"""Projected GAN (Sauer et al., 2021, https://arxiv.org/abs/2111.01007): critics that look at features, not at pixels.

FastGAN's generator; four critics on the maps of a frozen EfficientNet-Lite0 after random mixing across channels and
scales. Hinge loss without a penalty, Adam(2e-4, 0, .99), batch 64, DiffAugment, images of less than 224 pixels resized
to 224, 64 mixed maps, a half-life of 20 kimg (batch * 10 / 32): ``train.py``, ``projector.py`` and ``discriminator.py``
of the authors' code. There 64 latents are for StyleGAN2's generator, and FastGAN's has 256, set to mean square 1, and
128 feature maps (``networks_fastgan.py``): twice as many as by default here. The lite generator is the default here,
because only with it others saw the paper's figures (https://github.com/autonomousvision/projected-gan/issues/66).

The frozen weights are those of the extra ``ganzoo[effnet]``. Neither checkpoints nor versions hold them: the lineage
has their digest, by which ``ganzoo eval --features effnet`` knows that these features were in training.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganzoo import Architecture, Model, Preset, hookimpl
from ganzoo_plugins import fastgan

if TYPE_CHECKING:
    from ganzoo import Spec

STRIDE = 32
"""What ``resize`` is a multiple of: the coarsest of the frozen network's maps has a pixel for so many."""


@dataclass(frozen=True, kw_only=True)
class Options(fastgan.Options):
    """The options of Projected GAN: those of FastGAN's generator, and of the critics.

    Args:
        resize: side in pixels to which images are resized before the frozen network; a multiple of 32. None: 224, or
            the image's own if that is larger; 64 for images of at most 32 pixels, and 32 for those of at most 16.
        mixed: feature maps after mixing at the finest scale; twice as many at the next one, and so on.
        critic_width: feature maps of the critics at 64 pixels and above; they double with each halving, to 8 pixels.
    """

    latent_dim: int = 64
    lite: bool = True
    resize: int | None = None
    mixed: int = 64
    critic_width: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resize is not None and (self.resize < STRIDE or self.resize % STRIDE):
            raise ValueError(f"resize is a multiple of {STRIDE}")
        if min(self.mixed, self.critic_width) < 1:
            raise ValueError("mixed and critic_width must be at least 1")


ADAM = {"lr": 2e-4, "betas": [0.0, 0.99]}
FAST = {"precision": "fp32", "batch": 16, "augment": ""}
"""For many steps: nearly all of the arithmetic is the frozen network's, which CPUs are slower at in bf16."""

TINY = {
    "ema_kimg": 1.0,
    "options": {"width": 8, "mixed": 16, "critic_width": 16},
    "generator": {"lr": 3e-3, "betas": [0.0, 0.9]},
    "discriminator": {"lr": 1e-2, "betas": [0.0, 0.9]},
    **FAST,
}
SMALL = {
    "steps": 6_000,
    "ema_kimg": 5.0,
    "options": {"width": 8, "mixed": 32, "critic_width": 16},
    "generator": {"lr": 1e-3, "betas": [0.0, 0.99]},
    "discriminator": {"lr": 2e-3, "betas": [0.0, 0.99]},
    **FAST,
}


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One architecture and one model."""
    yield Architecture(
        name="projected",
        summary="FastGAN's generator, and critics on frozen features: needs ganzoo[effnet]",
        generator="ganzoo_plugins.fastgan.networks:Generator",
        discriminator="ganzoo_plugins.projected.networks:Discriminator",
        options=Options,
        resolutions=(8, 16, 32, 64, 128, 256),
    )
    yield Model(
        name="projected",
        measured="ganzoo_plugins.projected:measured.json",
        summary="critics that see what a network trained on ImageNet sees",
        paper="Sauer et al., 2021",
        year=2021,
        reference="https://arxiv.org/abs/2111.01007",
        code="https://github.com/autonomousvision/projected-gan",
        architecture="projected",
        loss="hinge",
        defaults={
            "batch": 64,
            "steps": 100_000,
            "ema_kimg": 20.0,
            "augment": "diffaugment",
            "generator": ADAM,
            "discriminator": ADAM,
        },
        defaults_up_to={
            8: {"steps": 950, "schedule": "linear", "preview_every": 100, **TINY},
            16: {"steps": 2_000, **TINY},
        },
        presets={"small": Preset(summary="narrow and faster, for a CPU", defaults=SMALL, resolutions=(32, 64))},
    )
