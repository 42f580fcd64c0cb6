"""Small exported generators, made with the onnx package instead of a training."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from ganzoo.runtime.card import METADATA_KEY, GeneratorCard

SIZE, LATENT, CHANNELS = 8, 5, 3


def _onnx(
    class_names: Sequence[str] = (), first: str = "Identity", card: bool = True, declared_height: int = SIZE
) -> bytes:
    """z (+ an embedding of the label) -> Gemm -> ConvTranspose -> Tanh, with fixed random weights."""
    rng = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)

    half = SIZE // 2
    initializers = [
        weight("linear", LATENT, 6 * half * half),
        weight("kernel", 6, CHANNELS, 4, 4),
        numpy_helper.from_array(np.array([-1, 6, half, half]), "shape"),
    ]
    nodes = [
        helper.make_node(first, ["z"], ["first"]),
        helper.make_node("Gemm", ["hidden", "linear"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["maps"]),
        helper.make_node("ConvTranspose", ["maps", "kernel"], ["raw"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Tanh", ["raw"], ["images"]),
    ]
    inputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", LATENT])]
    if class_names:
        initializers.append(weight("table", len(class_names), LATENT))
        nodes[1:1] = [
            helper.make_node("Gather", ["table", "labels"], ["embedded"]),
            helper.make_node("Add", ["first", "embedded"], ["hidden"]),
        ]
        inputs.append(helper.make_tensor_value_info("labels", TensorProto.INT64, ["batch"]))
    else:
        nodes.insert(1, helper.make_node("Identity", ["first"], ["hidden"]))
    outputs = [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", CHANNELS, SIZE, SIZE])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    if card:
        described = GeneratorCard(
            name="tiny",
            latent_dim=LATENT,
            channels=CHANNELS,
            height=declared_height,
            width=SIZE,
            class_names=tuple(class_names),
        )
        helper.set_model_props(model, {METADATA_KEY: described.to_json()})
    data: bytes = model.SerializeToString()
    return data


@pytest.fixture(scope="session")
def make_onnx() -> Callable[..., bytes]:
    """``make_onnx(class_names=(), first="Identity", card=True, declared_height=8) -> bytes``."""
    return _onnx
