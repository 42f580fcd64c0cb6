"""AC-GAN (Odena et al., 2017, https://arxiv.org/abs/1610.09585): the discriminator also says which class it sees.

Adam(2e-4, .5, .999), 100 latents, LeakyReLU(.2), N(0, .02) (the paper's appendix A). The networks here are DCGAN's, of
which the paper's are a variant: the generator is that of ``conditional``, and the classifier is a linear layer beside
the discriminator's logit.

``d2d-ce`` is the loss of ReACGAN (Kang et al., 2021, https://arxiv.org/abs/2111.01118), which keeps the classifier's
gradient bounded and lets the images of a batch be compared with each other: lambda .5, margin .98, temperature .5,
embeddings of 512 numbers and Adam(2.83e-4, .5, .999) at batch 128 (StudioGAN's ReACGAN.yaml, whose networks are
BigGAN's, with 5 discriminator steps and 100,000 steps in all; on DCGAN's networks here 1 and 50,000). The discriminator
has what it reads, whichever of the two losses is chosen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ganzoo import Architecture, Loss, Model, Preset, hookimpl
from ganzoo_plugins import dcgan

if TYPE_CHECKING:
    from ganzoo import Spec

ADAM = {"lr": 2e-4, "betas": [0.5, 0.999]}
REACGAN_ADAM = {"lr": 2.83e-4, "betas": [0.5, 0.999]}
FASTER = {"lr": 1e-3, "betas": [0.0, 0.9]}
TINY = {"batch": 64, "ema_kimg": 5.0, "generator": FASTER, "discriminator": FASTER}
"""For images of at most 16 pixels: on digits the Fréchet distance is 9 after 2,000 steps, that of ReACGAN 13."""

SMALL = {**dcgan.SMALL, "batch": 64, "steps": 2_500}
"""On 10,000 of MNIST's digits the Fréchet distance is .05 (.009: real ones), and .8 with 7,000 steps: the discriminator
knows its images by then, and the generator's become alike."""
MORE_OF_A_CLASS = {"loss_options": {"generator": 0.1}}
"""On emoji the deviation within classes is .58 of real images' after 1,500 steps, and .31 with weight 1 after 2,500."""


def small(**others: Any) -> dict[str, Preset]:
    """The preset ``small``, and what else it has."""
    summary = "half as wide and faster, for a CPU"
    return {"small": Preset(summary=summary, defaults={**SMALL, **others}, resolutions=(32, 64))}


@dataclass(frozen=True, kw_only=True)
class Options(dcgan.Options):
    """The options of AC-GAN: DCGAN's, and

    Args:
        embedding: length of the vector that is classified, a linear function of the discriminator's features.
            None: the features themselves.
    """

    embedding: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.embedding is not None and self.embedding < 1:
            raise ValueError(f"embedding must be at least 1, and {self.embedding} is not")


@dataclass(frozen=True, kw_only=True)
class ACOptions:
    """The options of AC-GAN's loss.

    Args:
        discriminator, generator: what the cross-entropy of classes is multiplied by in that network's loss. The less a
            generator is asked for images that are typical of a class, the more of a class it shows: WGAN-GP's code
            for CIFAR-10 has .1.
    """

    discriminator: float = 1.0
    generator: float = 1.0

    def __post_init__(self) -> None:
        if self.discriminator < 0 or self.generator < 0:
            raise ValueError("discriminator and generator must be at least 0")


@dataclass(frozen=True, kw_only=True)
class D2DOptions:
    """The options of D2D-CE.

    Args:
        weight: of the term that is added to the hinge loss of either network; lambda.
        margin: cosine of an image with its class from which on it is attracted no more; 1 - margin is that of two
            classes' images under which they are repelled no more.
        temperature: what cosines are divided by.
    """

    weight: float = 0.5
    margin: float = 0.98
    temperature: float = 0.5

    def __post_init__(self) -> None:
        if not (self.weight >= 0 and 0 <= self.margin <= 1 and self.temperature > 0):
            raise ValueError("weight must be at least 0, margin on [0, 1], and temperature more than 0")


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One architecture, two losses and the model of each."""
    yield Architecture(
        name="acgan",
        summary="DCGAN with label embeddings and an auxiliary classifier",
        generator="ganzoo_plugins.conditional.networks:Generator",
        discriminator="ganzoo_plugins.acgan.networks:Discriminator",
        options=Options,
        resolutions=(8, 16, 32, 64, 128, 256),
        conditional=True,
    )
    yield Loss(
        name="acgan",
        summary="non-saturating, with the cross-entropy of the class of real and generated images: Odena et al., 2017",
        target="ganzoo_plugins.acgan.losses:AuxiliaryClassifier",
        options=ACOptions,
        reads=("class_logits",),
    )
    yield Loss(
        name="d2d-ce",
        summary="hinge, with the data-to-data cross-entropy of ReACGAN: Kang et al., 2021",
        target="ganzoo_plugins.acgan.losses:DataToDataCrossEntropy",
        options=D2DOptions,
        reads=("embedding", "proxy"),
        batch_coupled=True,
    )
    yield Model(
        name="acgan",
        measured="ganzoo_plugins.acgan:measured.json",
        summary="class-conditional GAN whose discriminator classifies, too",
        architecture="acgan",
        loss="acgan",
        defaults={"batch": 100, "steps": 50_000, "generator": ADAM, "discriminator": ADAM},
        defaults_up_to={8: {"steps": 2_000, "preview_every": 100, **TINY}, 16: {"steps": 5_000, **TINY}},
        presets=small(**MORE_OF_A_CLASS),
        paper="Odena et al., 2017",
        year=2017,
        reference="https://arxiv.org/abs/1610.09585",
    )
    yield Model(
        name="reacgan",
        measured="ganzoo_plugins.acgan:measured-reacgan.json",
        summary="AC-GAN with the data-to-data cross-entropy, on AC-GAN's networks here",
        architecture="acgan",
        loss="d2d-ce",
        defaults={
            "batch": 128,
            "steps": 50_000,
            "generator": REACGAN_ADAM,
            "discriminator": REACGAN_ADAM,
            "options": {"embedding": 512},
        },
        defaults_up_to={
            8: {"steps": 2_000, "preview_every": 100, "options": {"embedding": 128}, **TINY},
            16: {"steps": 5_000, **TINY},
        },
        presets=small(),
        paper="Kang et al., 2021",
        year=2021,
        reference="https://arxiv.org/abs/2111.01118",
        code="https://github.com/POSTECH-CVLab/PyTorch-StudioGAN",
    )
