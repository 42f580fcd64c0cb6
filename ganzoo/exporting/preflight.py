"""Tries, before a training begins, whether its generator can be exported at the end."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ganzoo.errors import PluginError
from ganzoo.exporting.convert import Graph, to_graph
from ganzoo.exporting.gates import check
from ganzoo.exporting.proof import hint_of
from ganzoo.exporting.reasons import UnexportableError
from ganzoo.exporting.reference import reference, tolerance
from ganzoo.networks.build import build_generator, latent_dim
from ganzoo.runtime.card import GeneratorCard
from ganzoo.runtime.vetting import Refused
from ganzoo.specs import Architecture, ImageShape
from ganzoo.zoo.foreign import survived

BATCHES = (1, 2, 3, 8)

TOLERANCE = 1e-3
"""Largest difference from torch, relative to the largest pixel.

Before training BatchNorm has no statistics yet, and values grow from layer to layer; rounding grows with them.
"""


def preflight(architecture: Architecture, shape: ImageShape, options: Any) -> Graph:
    """Take an untrained generator through the conversion and the gates, with few images, in this process.

    Args:
        shape: of the images that it is trained on.
        options: the architecture's.

    Returns:
        Its graph, which the trained generator has, too.

    Raises:
        PluginError: it cannot be exported; names the architecture.
        GanzooError: nothing can be exported here.
    """
    with survived(f"architecture {architecture.name!r}"), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        generator = build_generator(architecture, shape, options)
        try:
            graph, _ = tried(generator, untrained_card(architecture, shape, generator))
        except UnexportableError as error:
            raise PluginError(
                f"architecture {architecture.name!r} cannot be exported: {error}",
                hint=f"{error.hint}; --no-export trains it all the same",
            ) from error
    return graph


def untrained_card(architecture: Architecture, shape: ImageShape, generator: nn.Module) -> GeneratorCard:
    """The card of a generator that is of no version; its classes are called by their numbers."""
    return GeneratorCard(
        name=architecture.name,
        latent_dim=latent_dim(generator),
        channels=shape.channels,
        height=shape.height,
        width=shape.width,
        class_names=tuple(map(str, range(shape.classes))),
        controls=architecture.control_ranges,
    )


def tried(
    generator: nn.Module, card: GeneratorCard, batches: Sequence[int] = BATCHES
) -> tuple[Graph, Mapping[str, str]]:
    """The graph of a generator (on the CPU, in fp32) that was never trained, and what each gate found.

    Args:
        batches: sizes of the batches that are compared.

    Raises:
        UnexportableError: it cannot be exported.
        GanzooError: nothing can be exported here.
    """
    arrays = reference(generator, card, max(batches))
    graph = to_graph(generator.eval(), card)
    scale = max(1.0, float(np.abs(arrays["images"]).max()))
    try:
        allowed = max(TOLERANCE * scale, tolerance(generator, card, arrays))
        found = check(graph.file(generator, card), arrays, batches, allowed)
    except Refused as refusal:
        raise UnexportableError(f"gate {refusal}", hint=hint_of(str(refusal))) from refusal
    return graph, found
