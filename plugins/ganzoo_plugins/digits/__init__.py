"""Handwritten digits that ship with scikit-learn: real images without a network or an account."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganzoo import Dataset, hookimpl

if TYPE_CHECKING:
    from ganzoo.specs import Spec


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """One data set."""
    yield Dataset(
        name="digits",
        summary="1,438 handwritten digits, 8x8, grey, 10 classes (another 359 held out)",
        target="ganzoo_plugins.digits.reader:training",
    )
