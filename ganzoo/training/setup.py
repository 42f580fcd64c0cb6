"""From a recipe and images to a trainer that is ready for its first step."""

from dataclasses import replace

import torch

from ganzoo.data import ImageSet
from ganzoo.errors import PluginError
from ganzoo.recipe import Recipe
from ganzoo.specs import ImageShape
from ganzoo.training.feed import open_feed
from ganzoo.training.networks import build
from ganzoo.training.precision import Precision, choose_device, choose_precision, choose_threads
from ganzoo.training.trainer import Augment, Trainer
from ganzoo.zoo import load_target


def settle(recipe: Recipe) -> Recipe:
    """Fill in what waits for the hardware: device and precision."""
    device = choose_device(recipe.config.device)
    precision = choose_precision(recipe.config.precision, device)
    return replace(recipe, config=replace(recipe.config, device=str(device), precision=precision))


def network_shape(recipe: Recipe, images: ImageSet) -> ImageShape:
    """What the networks are built for; an unconditional architecture is told of no classes."""
    shape = images.shape
    return shape if recipe.architecture.conditional else replace(shape, classes=0)


def assemble(recipe: Recipe, images: ImageSet) -> tuple[Recipe, Trainer]:
    """Build the networks for ``images``, which have the configuration's size already, and put all on the device.

    Returns:
        The recipe with the number of threads that the networks are worth, and its trainer.

    Raises:
        UsageError: the parts do not go together.
        PluginError: a network or the augmentation breaks its contract.
    """
    config = recipe.config
    networks = build(recipe.architecture, network_shape(recipe, images), recipe.options, config.seed)
    config = replace(config, threads=config.threads or choose_threads(networks.flops * config.batch))
    precision = Precision("bf16" if config.precision == "bf16" else "fp32", choose_device(config.device))
    trainer = Trainer(
        config,
        networks,
        open_feed(images, precision, config),
        load_target(recipe.loss.target)(),
        recipe.penalties,
        precision,
        recipe.architecture.conditional,
        _augment(recipe, images.shape),
    )
    return replace(recipe, config=config), trainer


def _augment(recipe: Recipe, shape: ImageShape) -> Augment | None:
    """The augmentation, if there is one, tried on two images."""
    spec = recipe.augmentation
    if spec is None:
        return None
    factory = load_target(spec.target)
    images = torch.zeros(2, shape.channels, shape.height, shape.width)
    try:
        augment: Augment = factory(recipe.augment_options)
        changed = augment.apply(images, augment.draw(len(images), shape, torch.Generator(), images.device))
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "")
        raise PluginError(
            f"augmentation {spec.name!r} cannot be used: {type(error).__name__}: {reason}",
            hint="check --set augment_options.…, or leave --augment out",
        ) from error
    if changed.shape != images.shape:
        raise PluginError(f"augmentation {spec.name!r} returns {list(changed.shape)}, not {list(images.shape)}")
    return augment
