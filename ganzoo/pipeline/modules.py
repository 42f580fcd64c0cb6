"""A model's networks as PyTorch modules, without a training."""

from typing import TYPE_CHECKING, NamedTuple

from torch import nn

from ganzoo.config import NETWORKS, Settings
from ganzoo.errors import UsageError
from ganzoo.networks.build import build
from ganzoo.networks.weights import load_network
from ganzoo.specs import ImageShape
from ganzoo.training.draws import derive
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve
from ganzoo_registry import Registry, Version

if TYPE_CHECKING:
    from ganzoo.specs import Architecture

WEIGHTS = {"generator": "generator-ema", "discriminator": "discriminator"}
"""Network -> the kind of a version's weights that it gets: of the generator its average."""


class Pair(NamedTuple):
    """A generator and its discriminator, in fp32 on the CPU.

    Args:
        generator: ``generator(z[B, latent_dim], labels[B] | None) -> images[B, C, H, W]``, nominally in [-1, 1].
        discriminator: ``discriminator(images, labels | None)``; see ``ganzoo.specs.Architecture`` for what it returns.
    """

    generator: nn.Module
    discriminator: nn.Module


def make_pair(settings: Settings, channels: int, classes: int, store: Registry, version: Version | None) -> Pair:
    """See ``ganzoo.create``: ``settings`` has the model and the size, and ``version`` the weights; None: new ones."""
    recipe = resolve(zoo(), settings["model"], settings)
    check_channels(recipe.architecture, channels)
    size, seed = recipe.config.size, recipe.config.seed
    shape = ImageShape(
        channels=channels, height=size, width=size, classes=classes if recipe.architecture.conditional else 0
    )
    (_, options), (_, discriminators) = (recipe.networks[network] for network in NETWORKS)
    seeds = (derive(seed, "init", 0), derive(seed, "init", 1))
    made = build(recipe.architecture, shape, options, seeds, discriminators)
    pair = Pair(made.generator, made.discriminator)
    if version is not None:
        for network, kind in WEIGHTS.items():
            load_network(getattr(pair, network), store.read(version, kind), str(version))
    return pair


def check_channels(architecture: "Architecture", channels: int) -> None:
    """Refuse a number of channels that an architecture is not made for.

    Raises:
        UsageError: names those that it is made for.
    """
    if channels not in architecture.channels:
        raise UsageError(
            f"architecture {architecture.name!r} makes no images of {channels} channels",
            hint=f"channels: {' or '.join(map(str, architecture.channels))}",
        )
