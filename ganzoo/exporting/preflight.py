"""Tries, before a training begins, whether its generator can be exported at the end."""

from typing import Any

import numpy as np
import torch

from ganzoo.errors import PluginError
from ganzoo.exporting.convert import Graph, to_graph
from ganzoo.exporting.exporter import hint_of
from ganzoo.exporting.gates import check
from ganzoo.exporting.reasons import UnexportableError
from ganzoo.exporting.reference import reference
from ganzoo.networks.build import build_generator, latent_dim
from ganzoo.runtime.card import GeneratorCard
from ganzoo.runtime.vetting import Refused
from ganzoo.specs import Architecture, ImageShape
from ganzoo.zoo.foreign import survived

ROWS = 8
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
        generator = build_generator(architecture, shape, options).eval()
        card = GeneratorCard(
            name=architecture.name,
            latent_dim=latent_dim(generator),
            channels=shape.channels,
            height=shape.height,
            width=shape.width,
            class_names=tuple(map(str, range(shape.classes))),
            controls=architecture.control_ranges,
        )
        try:
            arrays = reference(generator, card, ROWS)
            graph = to_graph(generator, card)
            scale = max(1.0, float(np.abs(arrays["images"]).max()))
            check(graph.file(generator, card), arrays, BATCHES, TOLERANCE * scale)
        except UnexportableError as error:
            raise _refusal(architecture, str(error), error.hint) from error
        except Refused as refusal:
            raise _refusal(architecture, f"gate {refusal}", hint_of(str(refusal))) from refusal
    return graph


def _refusal(architecture: Architecture, reason: str, hint: str | None) -> PluginError:
    return PluginError(
        f"architecture {architecture.name!r} cannot be exported: {reason}",
        hint=f"{hint}; --no-export trains it all the same",
    )
