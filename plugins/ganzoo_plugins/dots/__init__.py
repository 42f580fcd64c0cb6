"""One blob at one of 25 places: the classic test for missing modes, as images."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganzoo import Dataset, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One data set."""
    yield Dataset(
        name="dots",
        summary="20,000 dots, each at one of 25 places, 16x16, grey, 25 classes (another 5,000 held out)",
        target="ganzoo_plugins.dots.reader:training",
        held_out="ganzoo_plugins.dots.reader:held_out",
        modes="ganzoo_plugins.dots.modes:MODES",
    )
