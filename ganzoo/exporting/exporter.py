"""From a generator to bytes that passed every gate, or to an error that names the gate."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ganzoo.exporting.convert import Graph, to_graph
from ganzoo.exporting.proof import prove
from ganzoo.exporting.reference import reference, tolerance
from ganzoo.exporting.tracing import DEFAULT_OPSET
from ganzoo.runtime.card import GeneratorCard

if TYPE_CHECKING:
    from torch import nn


def export(
    generator: "nn.Module", card: GeneratorCard, opset: int | None = None, graph: Graph | None = None
) -> tuple[bytes, Mapping[str, str]]:
    """Convert ``generator`` (CPU, fp32) and prove the file.

    Args:
        graph: how the generator computes, where that is known; None: find out.

    Returns:
        The ONNX file, and what each gate found.

    Raises:
        GanzooError: it cannot be converted, or a gate did not pass; names the gate, and says by how much.
    """
    arrays = reference(generator, card)
    graph = graph or to_graph(generator, card, opset or DEFAULT_OPSET)
    data = graph.file(generator, card)
    return data, prove(data, card.name, arrays, tolerance(generator, card, arrays))
