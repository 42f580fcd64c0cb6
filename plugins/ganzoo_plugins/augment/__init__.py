"""Augmentation for small sets of images, which a discriminator would otherwise learn by heart.

DiffAugment (Zhao et al., 2020, https://arxiv.org/abs/2006.10738): with 100 images it is the difference between
samples and copies.
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
    """

    policy: tuple[Literal["colour", "translation", "cutout"], ...] = ("colour", "translation", "cutout")

    def __post_init__(self) -> None:
        if not self.policy or len(set(self.policy)) < len(self.policy):
            raise ValueError("policy names one or more of colour, translation and cutout, each once")


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One augmentation."""
    yield Augmentation(
        name="diffaugment",
        summary="colour, translation and cutout, for few images: Zhao et al., 2020",
        target="ganzoo_plugins.augment.augment:DiffAugment",
        options=Options,
    )
