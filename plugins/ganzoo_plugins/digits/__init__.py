"""Handwritten digits that ship with scikit-learn: real images without a network or an account."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganzoo import Dataset, Extractor, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """Two data sets, and the extractor that they are evaluated with."""
    yield Dataset(
        name="digits",
        summary="1,438 handwritten digits, 8x8, grey, 10 classes (another 359 held out)",
        target="ganzoo_plugins.digits.reader:training",
        held_out="ganzoo_plugins.digits.reader:held_out",
        extractor="digits",
    )
    yield Dataset(
        name="stacked-digits",
        summary="20,000 triples of digits, 8x8, colour, 1,000 classes (another 5,000 held out)",
        target="ganzoo_plugins.digits.stacked:training",
        held_out="ganzoo_plugins.digits.stacked:held_out",
        modes="ganzoo_plugins.digits.stacked:MODES",
    )
    yield Extractor(
        name="digits",
        summary="64 features and the class of digits, 8x8, grey; right on 99 % of those held out",
        file="ganzoo_plugins.digits:extractor.onnx",
        sha256="f451e122ae57f9bc780f8ecb5108a9a5e6a1b8d46431911fe0ad3ae3281846b4",
    )
