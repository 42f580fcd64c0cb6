"""Well-known data sets, downloaded when they are first used."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganzoo import Dataset, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """Three data sets, each in its official two parts."""
    yield Dataset(
        name="mnist",
        summary="60,000 handwritten digits, 28x28, grey, 10 classes (another 10,000 held out); downloads 12 MB",
        target="ganzoo_plugins.downloads.reader:MNIST.training",
        held_out="ganzoo_plugins.downloads.reader:MNIST.held_out",
    )
    yield Dataset(
        name="fashion-mnist",
        summary="60,000 pieces of clothing, 28x28, grey, 10 classes (another 10,000 held out); downloads 31 MB",
        target="ganzoo_plugins.downloads.reader:FASHION_MNIST.training",
        held_out="ganzoo_plugins.downloads.reader:FASHION_MNIST.held_out",
    )
    yield Dataset(
        name="cifar10",
        summary="50,000 photographs, 32x32, colour, 10 classes (another 10,000 held out); downloads 170 MB",
        target="ganzoo_plugins.downloads.reader:CIFAR10.training",
        held_out="ganzoo_plugins.downloads.reader:CIFAR10.held_out",
    )
