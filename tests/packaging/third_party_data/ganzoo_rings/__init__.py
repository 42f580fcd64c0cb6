"""Rings: a data set with known modes, a file format, a metric and an augmentation."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganzoo import Augmentation, Dataset, Metric, Reader, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec


@dataclass(frozen=True, kw_only=True)
class Options:
    """What can be set.

    Args:
        depth: the darkest factor.
    """

    depth: float = 0.5


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One of each."""
    yield Dataset(
        name="rings",
        summary="rings of three radii",
        target="ganzoo_rings.data:training",
        held_out="ganzoo_rings.data:held_out",
        modes="ganzoo_rings.data:RADII",
    )
    yield Reader(name="radii", summary="a radius a line", target="ganzoo_rings.data:read", files=("*.rings",))
    yield Metric(name="ink", summary="rings a sample", target="ganzoo_rings.parts:ink", figures={"ink": "higher"})
    yield Augmentation(name="dim", summary="darker", target="ganzoo_rings.parts:Dim", options=Options)
