"""What 25 GANs, written as a stranger's plugin, could say by tricks alone, in the contract's own words."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ganzoo import Architecture, Augmentation, Control, Loss, Model, Penalty, hookimpl

if TYPE_CHECKING:
    from torch import Tensor

    from ganzoo import Spec
    from ganzoo.training import Step


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of all networks here."""

    width: int = 16


@dataclass(frozen=True, kw_only=True)
class ClippedOptions(Options):
    """WGAN's."""

    clip: float = 0.02


@dataclass(frozen=True, kw_only=True)
class Dragan(Penalty):
    """(|g| - 1)^2 around the real images (Kodali et al., 2017): x + k std(x) u, with the standard deviation of all."""

    name: str = "dragan"
    weight: float = 10.0
    k: float = 0.5

    def points(self, step: "Step") -> "Tensor":
        """One noisy image for each real one."""
        x = step.real.images
        centred = x - step.mean(x.flatten(1).mean(1))
        deviation = step.mean(centred.square().flatten(1).mean(1)).sqrt()
        return x + self.k * deviation * step.uniform_like(x)

    def value(self, squared_norm: "Tensor") -> "Tensor":
        """Distance of the norm from 1."""
        return ((squared_norm + 1e-12).sqrt() - 1).square()


@dataclass(frozen=True, kw_only=True)
class ConsistencyOptions:
    """The options of bCR."""

    weight: float = 10.0


@dataclass(frozen=True, kw_only=True)
class LeCamOptions:
    """The options of LeCam."""

    weight: float = 0.3
    decay: float = 0.9


@dataclass(frozen=True, kw_only=True)
class ControllerOptions:
    """The options of ADA's controller."""

    target: float = 0.6
    rate: float = 0.05


@dataclass(frozen=True, kw_only=True)
class NoiseOptions:
    """The options of the noise that augments."""

    strength: float = 0.5


@dataclass(frozen=True, kw_only=True)
class ObserverOptions(NoiseOptions):
    """The options of noise whose share follows what the critic says."""

    kimg: float = 0.1


@dataclass(frozen=True, kw_only=True)
class SeekingOptions:
    """The options of MSGAN."""

    weight: float = 0.1


@dataclass(frozen=True, kw_only=True)
class CodeOptions:
    """The options of InfoGAN's loss."""

    weight: float = 1.0


def cosine(start: float, to: float) -> dict[str, Any]:
    """A cosine over the first 80 % of the run."""
    return {"from": start, "to": to, "until": "80%", "curve": "cosine"}


R3GAN = {
    "generator": {"lr": cosine(2e-3, 5e-4), "betas": [0.0, cosine(0.9, 0.99)]},
    "discriminator": {"lr": cosine(2e-3, 5e-4), "betas": [0.0, cosine(0.9, 0.99)]},
    "penalties": {"r1": {"weight": cosine(2.0, 0.2)}, "r2": {"weight": cosine(2.0, 0.2)}},
    "ema_kimg": cosine(0.01, 0.5),
    "augment": "noise",
    "augment_options": {"strength": cosine(0.01, 0.3)},
}
"""Huang et al., 2024, table 7: five cosines."""

CONTROLS = {"truncated": {"truncation": 1.0}, "coded": {"code": Control(default=-1, low=-1, high=3)}}

NETWORKS = {
    "plain": ("Generator", "Discriminator", Options),
    "clipped": ("Generator", "Clipped", ClippedOptions),
    "orthogonal": ("Orthogonal", "Discriminator", Options),
    "path-length": ("PathLength", "Discriminator", Options),
    "coded": ("Coded", "Coder", Options),
    "patches": ("Generator", "Patches", Options),
    "truncated": ("Truncated", "Discriminator", Options),
    "projected": ("Generator", "Projected", Options),
    "labelled": ("Labelled", "Matcher", Options),
}


def models() -> Iterable[Model]:
    """A model a trick."""
    yield Model(name="clipping", architecture="clipped", loss="wasserstein", defaults={"critic_steps": 2, **RMSPROP})
    yield Model(name="dragan", architecture="plain", loss="dragan")
    yield Model(name="bcr", architecture="plain", loss="bcr")
    yield Model(name="lecam", architecture="plain", loss="lecam")
    yield Model(name="ada", architecture="plain", loss="ada", defaults={"augment": "adaptive"})
    yield Model(name="observed", architecture="plain", loss="non-saturating", defaults={"augment": "observing"})
    yield Model(
        name="annealed-r1",
        architecture="plain",
        loss="non-saturating",
        defaults={"penalties": {"r1": {"weight": {"from": 4.0, "to": 0.5, "until": 5}, "every": 2}}},
    )
    yield Model(
        name="orthogonal",
        architecture="orthogonal",
        loss="non-saturating",
        defaults={"generator": {"regularise": {"weight": 0.1}}},
    )
    yield Model(
        name="path-length",
        architecture="path-length",
        loss="non-saturating",
        defaults={"generator": {"regularise": {"weight": 2.0, "every": 2}}},
    )
    yield Model(name="truncation", architecture="truncated", loss="non-saturating")
    yield Model(name="coded", architecture="coded", loss="infogan")
    yield Model(name="schedules", architecture="plain", loss="rpgan", defaults=R3GAN)
    yield Model(name="moments", architecture="plain", loss="moments")
    yield Model(name="patches", architecture="patches", loss="hinge")
    yield Model(name="frozen", architecture="projected", loss="hinge")
    yield Model(name="mode-seeking", architecture="labelled", loss="mode-seeking")


RMSPROP = {"generator": {"optimizer": "rmsprop", "lr": 5e-4}, "discriminator": {"optimizer": "rmsprop", "lr": 5e-4}}


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """Architectures, losses, augmentations and models."""
    for name, (generator, discriminator, options) in NETWORKS.items():
        yield Architecture(
            name=name,
            generator=f"tricks.networks:{generator}",
            discriminator=f"tricks.networks:{discriminator}",
            options=options,
            resolutions=(8, 16),
            conditional=name == "labelled",
            controls=CONTROLS.get(name, {}),
        )
    losses = "tricks.losses"
    yield Loss(name="wasserstein", target=f"{losses}:Wasserstein")
    yield Loss(name="dragan", target="ganzoo_plugins.losses.losses:NonSaturating", penalties=(Dragan(),))
    yield Loss(name="bcr", target=f"{losses}:BalancedConsistency", options=ConsistencyOptions)
    yield Loss(name="lecam", target=f"{losses}:LeCam", options=LeCamOptions, state={"real": 0.0, "fake": 0.0})
    yield Loss(name="ada", target=f"{losses}:Adaptive", options=ControllerOptions, state={"p": 0.0})
    yield Loss(name="infogan", target=f"{losses}:InfoGAN", options=CodeOptions, reads=("codes",))
    yield Loss(name="moments", target=f"{losses}:Moments", adversarial=False)
    yield Loss(
        name="mode-seeking",
        target=f"{losses}:ModeSeeking",
        options=SeekingOptions,
        defaults={"fake_labels": "uniform"},
    )
    yield Augmentation(name="adaptive", target=f"{losses}:AdaptiveNoise", options=NoiseOptions, state={"p": 0.0})
    yield Augmentation(
        name="observing", target=f"{losses}:ObservingNoise", options=ObserverOptions, state={"p": 0.1, "seen": 0.0}
    )
    yield Augmentation(name="noise", target=f"{losses}:Noise", options=NoiseOptions)
    yield from models()
