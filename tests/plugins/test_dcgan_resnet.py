"""DCGAN's generator with SNGAN's discriminator."""

from collections.abc import Mapping
from typing import Any, ClassVar

from ganzoo.testing import PluginConformance
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve


class TestConformance(PluginConformance):
    plugin = "dcgan-resnet"
    settings: ClassVar[Mapping[str, Any]] = {
        "options": {"width": 8},
        "discriminator_options": {"discriminator_width": 8},
    }


def test_two_architectures_and_the_figures_of_one() -> None:
    recipe, dcgan = (resolve(zoo(), name, {"size": 64}) for name in ("dcgan-resnet", "dcgan"))
    assert recipe.architecture.generator == dcgan.architecture.generator
    assert recipe.architecture.discriminator == "ganzoo_plugins.sngan.networks:Discriminator"
    assert (recipe.config.generator, recipe.config.discriminator) == (
        dcgan.config.generator,
        dcgan.config.discriminator,
    )
    assert (recipe.config.batch, recipe.config.loss) == (64, "non-saturating")
