"""A generator whose graph ends with pixels, for programs that would rather not make them themselves.

``images u8[batch, H, W, C]`` is what ``ganzoo.images.to_uint8`` makes, to the bit. A cast would turn NaN into some
colour, so ``finite bool[batch]`` says which images had nothing but numbers. None of it needs torch.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from ganzoo.exporting.folding import put
from ganzoo.exporting.writing import with_card
from ganzoo.runtime.card import GeneratorCard

_VALUES = "pixels.values"
_CONSTANTS = {"pixels.one": 1, "pixels.half": 127.5, "pixels.black": 0, "pixels.white": 255}
_AXES_AS_INPUT = 18
"""The first opset in which ReduceMax takes its axes as an input."""


def to_uint8(data: bytes, card: GeneratorCard) -> bytes:
    """The file of a generator with pixels as its output, which is still to be gated.

    Args:
        data: what ``ganzoo export`` wrote, with its ``card``.
    """
    model = onnx.load_from_string(data)
    graph = model.graph
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [_VALUES if name == "images" else name for name in names]
    for name, value in _CONSTANTS.items():
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    opset = next(each.version for each in model.opset_import if not each.domain)
    if opset >= _AXES_AS_INPUT:
        graph.initializer.append(numpy_helper.from_array(np.array([1, 2, 3]), "pixels.axes"))
    graph.node.extend(_nodes(opset))
    shape: list[str | int | None] = ["batch", card.height, card.width, card.channels]
    put(
        graph.output,
        [
            helper.make_tensor_value_info("images", TensorProto.UINT8, shape),
            helper.make_tensor_value_info("finite", TensorProto.BOOL, ["batch"]),
        ],
    )
    del model.metadata_props[:]
    return with_card(model, replace(card, uint8=True))


def _nodes(opset: int) -> list[NodeProto]:
    """round((x + 1) * 127.5), clamped, channels last; and whether no value of an image is NaN or infinity."""
    axes: list[str] = ["pixels.axes"] if opset >= _AXES_AS_INPUT else []
    given: dict[str, Any] = {} if axes else {"axes": [1, 2, 3]}
    return [
        helper.make_node("Add", [_VALUES, "pixels.one"], ["pixels.shifted"]),
        helper.make_node("Mul", ["pixels.shifted", "pixels.half"], ["pixels.scaled"]),
        helper.make_node("Round", ["pixels.scaled"], ["pixels.whole"]),
        helper.make_node("Clip", ["pixels.whole", "pixels.black", "pixels.white"], ["pixels.clamped"]),
        helper.make_node("Cast", ["pixels.clamped"], ["pixels.bytes"], to=TensorProto.UINT8),
        helper.make_node("Transpose", ["pixels.bytes"], ["images"], perm=[0, 2, 3, 1]),
        helper.make_node("IsNaN", [_VALUES], ["pixels.nan"]),
        helper.make_node("IsInf", [_VALUES], ["pixels.infinite"]),
        helper.make_node("Or", ["pixels.nan", "pixels.infinite"], ["pixels.odd"]),
        helper.make_node("Cast", ["pixels.odd"], ["pixels.flags"], to=TensorProto.INT32),
        helper.make_node("ReduceMax", ["pixels.flags", *axes], ["pixels.any"], keepdims=0, **given),
        helper.make_node("Cast", ["pixels.any"], ["pixels.some"], to=TensorProto.BOOL),
        helper.make_node("Not", ["pixels.some"], ["finite"]),
    ]
