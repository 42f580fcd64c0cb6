"""The generator of a version, made again from its weights."""

from typing import TYPE_CHECKING

from ganzoo.config import convert
from ganzoo.networks.build import build_generator
from ganzoo.networks.weights import load_network
from ganzoo.records.trained import trained
from ganzoo.runtime.card import GeneratorCard
from ganzoo.specs import Architecture, ImageShape
from ganzoo.zoo.names import zoo
from ganzoo_registry import Registry, Version

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = "generator-ema"
"""Kind of the weights that are exported: the generator's average."""


def rebuild(store: Registry, version: Version) -> "tuple[nn.Module, GeneratorCard]":
    """A version's averaged generator, in fp32 on the CPU, and its card.

    Raises:
        PluginError, NotFoundError: the plugin that it came from cannot be used, or is no longer installed.
    """
    made = trained(store, version, "generator")["generator"]
    architecture = zoo().get(Architecture, made["architecture"])
    size = {key: made[key] for key in ("channels", "height", "width")}
    shape = ImageShape(**size, classes=len(made["class_names"]))
    generator = build_generator(architecture, shape, convert(made["options"], architecture.options, "options."))
    load_network(generator, store.read(version, WEIGHTS), str(version))
    card = GeneratorCard(
        name=version.name,
        version=version.number,
        digest=version.digest,
        latent_dim=made["latent_dim"],
        class_names=tuple(made["class_names"]),
        controls=architecture.control_ranges,
        **size,
    )
    return generator.eval(), card
