"""What each network of a model costs: learned parameters, and operations of a forward pass."""

from collections.abc import Mapping

import torch
from measuring import counting

from ganzoo.networks.build import latent_dim
from ganzoo.specs import Architecture, ImageShape, Model
from ganzoo.zoo.names import load_target, zoo
from ganzoo.zoo.parts import Parts, parts
from ganzoo.zoo.recipe import resolve

CLASSES = 10
BATCH = 2
"""Images of the pass that is counted: networks whose samples meet need more than one."""


def parts_of(model: Model) -> Parts:
    """What the model's networks are built from."""
    home = zoo().owner(model).distribution
    architecture = zoo().get(Architecture, model.architecture, home=home)
    return parts(zoo(), architecture, model.defaults, {}, home)


def costs(model: Model, size: int, preset: str = "") -> Mapping[str, Mapping[str, float]]:
    """Network -> ``parameters`` and ``gflop`` an image, in colour at ``size`` pixels, with default settings."""
    recipe = resolve(zoo(), zoo().shortest(model), {"size": size, "preset": preset})
    shape = ImageShape(channels=3, height=size, width=size, classes=CLASSES if recipe.architecture.conditional else 0)
    found = {}
    targets = {"generator": recipe.architecture.generator, "discriminator": recipe.architecture.discriminator}
    labels = torch.zeros(BATCH, dtype=torch.int64) if shape.classes else None
    for network, target in targets.items():
        module = load_target(target)(shape, recipe.networks[network][1]).eval()
        images = torch.empty(BATCH, shape.channels, size, size)
        given = torch.empty(BATCH, latent_dim(module)) if network == "generator" else images
        with torch.no_grad(), counting() as flops:
            module(given, labels)
        found[network] = {
            "parameters": sum(weight.numel() for weight in module.parameters() if weight.requires_grad),
            "gflop": float(f"{flops.total / BATCH / 1e9:.3g}"),
        }
    return found
