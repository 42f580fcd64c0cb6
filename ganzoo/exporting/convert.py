"""Converts generators to ONNX files: the graph once, the weights as often as there are versions of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ganzoo.exporting.folding import fold
from ganzoo.exporting.tracing import DEFAULT_OPSET, PREFIX, trace
from ganzoo.exporting.writing import with_card
from ganzoo.runtime.card import GeneratorCard

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

_GENERATOR = f"{PREFIX}generator."


class Ported(nn.Module):
    """A generator whose inputs are what the graph of ``card`` takes, in that order: z, labels, and controls by name."""

    def __init__(self, generator: nn.Module, card: GeneratorCard) -> None:
        super().__init__()
        self.generator = generator
        self._conditional = bool(card.class_names)
        self._controls = tuple(card.controls)

    def forward(self, z: Tensor, *others: Tensor) -> Tensor:
        """z [B, L], labels [B] where there are classes, and each control [B, 1] -> images [B, C, H, W]."""
        labels = others[0] if self._conditional else None
        controls = dict(zip(self._controls, others[self._conditional :], strict=True))
        images: Tensor = self.generator(z, labels, **controls)
        return images


@dataclass(frozen=True)
class Graph:
    """How a generator computes, without its weights: what takes long to find, and stays the same in training.

    Args:
        proto: the ONNX model as torch writes it; weights have a name, a type and a shape, and no values.
    """

    proto: "ModelProto"

    def file(self, generator: nn.Module, card: GeneratorCard) -> bytes:
        """The ONNX file of a generator (on the CPU, in fp32) of this graph, with the card in its metadata."""
        proto = type(self.proto)()
        proto.CopyFrom(self.proto)
        weights = generator.state_dict()
        for tensor in proto.graph.initializer:
            if name := _weight(tensor, weights):
                tensor.raw_data = _content(weights[name])
        fold(proto)
        return with_card(proto, card)


def to_graph(generator: nn.Module, card: GeneratorCard, opset: int = DEFAULT_OPSET) -> Graph:
    """Convert ``generator`` (on the CPU, in fp32, eval mode).

    The graph is ``z f32[batch, L]`` (and ``labels i64[batch]``, and each control ``f32[batch, 1]``) -> ``images
    f32[batch, C, H, W]``.

    Raises:
        UnexportableError: torch cannot convert it.
        GanzooError: torch cannot convert anything here.
        UsageError: torch cannot convert it to this opset.
    """
    inputs = {"z": torch.zeros(2, card.latent_dim)}
    if card.class_names:
        inputs["labels"] = torch.zeros(2, dtype=torch.int64)
    inputs |= {name: torch.full((2, 1), float(control.default)) for name, control in card.controls.items()}
    batch = torch.export.Dim("batch", min=2)
    shapes = {name: {0: batch} for name in inputs}
    proto = trace(Ported(generator, card), "generator", tuple(inputs.values()), shapes, ["images"], opset)
    weights = generator.state_dict()
    for tensor in proto.graph.initializer:
        if _weight(tensor, weights):
            tensor.ClearField("raw_data")
    return Graph(proto)


def to_onnx(generator: nn.Module, card: GeneratorCard, opset: int = DEFAULT_OPSET) -> bytes:
    """Convert ``generator`` to one ONNX file with the card in its metadata; see ``to_graph`` and ``Graph.file``."""
    return to_graph(generator, card, opset).file(generator, card)


def _weight(tensor: "TensorProto", weights: Mapping[str, Tensor]) -> str:
    """The name in the generator's own state of what a tensor of the graph holds; empty: it is a constant."""
    name = tensor.name.removeprefix(_GENERATOR)
    return name if tensor.name != name and name in weights else ""


def _content(tensor: Tensor) -> bytes:
    """A tensor's bytes as ONNX stores them, whatever its type."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
