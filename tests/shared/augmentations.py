"""An augmentation that changes nothing, to be made wrong, and what the engine says of those that are."""

import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest
import torch

from ganzoo.data import load
from ganzoo.errors import PluginError
from ganzoo.specs import Augmentation, ImageShape
from ganzoo.training import setup
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve


@dataclass(frozen=True, kw_only=True)
class NoOptions:
    """It has none."""


class Unchanging:
    """It draws nothing, and returns the images as they are."""

    def __init__(self, options: NoOptions) -> None:
        pass

    def draw(
        self, count: int, shape: ImageShape, generator: torch.Generator, device: torch.device
    ) -> dict[str, torch.Tensor]:
        """Nothing."""
        return {}

    def apply(self, images: torch.Tensor, drawn: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The same images, in a tensor of their own."""
        return images * 1


def refused(target: type[Unchanging], monkeypatch: pytest.MonkeyPatch) -> PluginError:
    """The error with which a training with this augmentation is refused, before its first step."""
    module = types.ModuleType("somebodys_augmentation")
    module.Mine = target  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    images = load("digits", zoo()).training
    recipe = setup.settle(resolve(zoo(), "vanilla", {"device": "cpu"}, native=lambda _: images.pixels.shape[2:]))
    spec = Augmentation(name="mine", target="somebodys_augmentation:Mine", options=NoOptions)
    with pytest.raises(PluginError) as caught:
        setup.assemble(replace(recipe, augmentation=spec, augment_options=NoOptions()), images)
    return caught.value
