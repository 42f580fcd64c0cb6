"""Networks as PyTorch modules, without a training: new ones of a model, and those of a registered version."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torch import nn

from ganzoo.config import NETWORKS, Settings, as_settings, merge
from ganzoo.errors import UsageError, check_whole
from ganzoo.exporting.rebuilding import rebuild
from ganzoo.files import registry_root
from ganzoo.networks.build import build
from ganzoo.networks.weights import load_network
from ganzoo.specs import ImageShape
from ganzoo.training.draws import derive
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve
from ganzoo_registry import Registry

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


def create(
    model: str,
    *,
    size: int,
    channels: int = 1,
    classes: int = 0,
    seed: int = 0,
    settings: Settings | None = None,
    pretrained: str | None = None,
    registry: str | Path | None = None,
) -> Pair:
    """Build the two networks of a model, as its training would.

    Args:
        model: what ``ganzoo models`` lists.
        size: height and width in pixels.
        channels: 1 for grey images, 3 for colour.
        classes: how many labels there are; unconditional models leave them unused, and are called with None for labels.
        seed: of the initial weights, which are those of a training with this seed.
        settings: configuration over the model's defaults, as for ``ganzoo.train``: ``{"options": {"width": 32}}``.
        pretrained: a registered version of the same networks, whose weights to load; see ``ganzoo.load``.
        registry: its directory; see ``ganzoo.files.registry_root``.

    Raises:
        UsageError: the model makes no such images, or has no such option.
        NotFoundError, RegistryError: there is no such model or version.
        IntegrityError: the version's networks are others.
    """
    check_whole(size, "size", 1)
    check_whole(classes, "classes", 0)
    recipe = resolve(zoo(), model, merge(as_settings(settings), {"size": size, "seed": seed}))
    check_channels(recipe.architecture, channels)
    shape = ImageShape(
        channels=channels, height=size, width=size, classes=classes if recipe.architecture.conditional else 0
    )
    (_, options), (_, discriminators) = (recipe.networks[network] for network in NETWORKS)
    seeds = (derive(seed, "init", 0), derive(seed, "init", 1))
    made = build(recipe.architecture, shape, options, seeds, discriminators)
    pair = Pair(made.generator, made.discriminator)
    if pretrained is not None:
        store = Registry(registry_root(registry))
        version = store.resolve(pretrained)
        for network, kind in WEIGHTS.items():
            load_network(getattr(pair, network), store.read(version, kind), str(version))
    return pair


def load_torch(reference: str, *, registry: str | Path | None = None) -> nn.Module:
    """The generator of a registered version as a module, with its averaged weights, in fp32 on the CPU and ``eval()``.

    Its images are those of the version's ONNX file, but for rounding; ``ganzoo.load`` runs that without torch.

    Args:
        reference: see ``ganzoo.load``; not a file.
        registry: the registry's directory; see ``ganzoo.files.registry_root``.

    Raises:
        RegistryError: there is no such version.
        PluginError, NotFoundError: the plugin that it came from cannot be used, or is no longer installed.
    """
    store = Registry(registry_root(registry))
    return rebuild(store, store.resolve(reference))[0]


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
