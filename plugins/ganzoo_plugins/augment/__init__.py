"""Augmentation for small sets of images, which a discriminator would otherwise learn by heart.

DiffAugment (Zhao et al., 2020, https://arxiv.org/abs/2006.10738): with 100 images it is the difference between
samples and copies. ADA (Karras et al., 2020, https://arxiv.org/abs/2006.06676): more changes, each with a probability
that follows how much the discriminator overfits; target, interval and speed are those of the authors' code
(``training_loop.py`` of https://github.com/NVlabs/stylegan2-ada-pytorch). BGC: its changes with a given probability.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ganzoo import Augmentation, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of DiffAugment.

    Args:
        policy: the kinds of change, each drawn anew for every image; they act in the order colour, translation,
            cutout, whatever order they are given in.
        p: probability that an image is changed at all; it may be a schedule.
    """

    policy: tuple[Literal["colour", "translation", "cutout"], ...] = ("colour", "translation", "cutout")
    p: float = 1.0

    def __post_init__(self) -> None:
        if not self.policy or len(set(self.policy)) < len(self.policy):
            raise ValueError("policy names one or more of colour, translation and cutout, each once")
        if not 0 <= self.p <= 1:
            raise ValueError("p is a probability, 0 to 1")


Change = Literal["blit", "geometry", "colour"]

BGC: tuple[Change, ...] = ("blit", "geometry", "colour")


@dataclass(frozen=True, kw_only=True)
class BgcOptions:
    """The options of the changes of ADA with a given probability.

    Args:
        p: the probability of each change.
        policy: the kinds of change: flips, quarter turns and translations by whole pixels; scaling, rotation and
            translation; and colour. They act in this order, whatever order they are given in.
    """

    p: float = 0.5
    policy: tuple[Change, ...] = BGC

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError("p is a probability, from 0 to 1")
        _check_policy(self.policy)


@dataclass(frozen=True, kw_only=True)
class AdaOptions:
    """The options of ADA.

    Args:
        target: of the mean sign of the discriminator at real images, above which it overfits.
        interval: batches between two moves of the probability.
        kimg: thousands of images in which the probability can go from 0 to 1.
        policy: the kinds of change, as of BGC.
    """

    target: float = 0.6
    interval: int = 4
    kimg: float = 500.0
    policy: tuple[Change, ...] = BGC

    def __post_init__(self) -> None:
        if not (-1 <= self.target <= 1 and self.interval >= 1 and self.kimg > 0):
            raise ValueError("target is from -1 to 1, interval at least 1, and kimg more than 0")
        _check_policy(self.policy)


def _check_policy(policy: tuple[Change, ...]) -> None:
    if not policy or len(set(policy)) < len(policy):
        raise ValueError("policy names one or more of blit, geometry and colour, each once")


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """Three augmentations."""
    yield Augmentation(
        name="diffaugment",
        summary="colour, translation and cutout, for few images: Zhao et al., 2020",
        target="ganzoo_plugins.augment.augment:DiffAugment",
        options=Options,
    )
    yield Augmentation(
        name="bgc",
        summary="flips, turns, scaling, rotation and colour, with a given probability: Karras et al., 2020",
        target="ganzoo_plugins.augment.bgc:Bgc",
        options=BgcOptions,
    )
    yield Augmentation(
        name="ada",
        summary="bgc with a probability that follows how much the discriminator overfits: Karras et al., 2020",
        target="ganzoo_plugins.augment.ada:Ada",
        options=AdaOptions,
        state={"ada_p": 0.0, "ada_signs": 0.0, "ada_batches": 0.0},
    )
