"""Transposed convolutions written as plain ones compute the same."""

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, strategies as st
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper

from ganzoo.exporting.transposed import rewrite_transposed
from ganzoo.runtime.providers import load_onnxruntime

CHANNELS = (5, 3)


@st.composite
def axes(draw: st.DrawFn) -> tuple[int, int, int, int, int]:
    """Size of the input, kernel, stride, padding, and output padding along one axis."""
    kernel, stride = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    size = draw(st.sampled_from([1, 2, 3, 7, 8, 9, 12]))
    return size, kernel, stride, draw(st.integers(0, kernel - 1)), draw(st.integers(0, stride - 1))


def model(high: Any, wide: Any, weight: NDArray[Any], activation: str = "", **changed: Any) -> ModelProto:
    """One layer of the given axes, with an activation behind it."""
    settings = {
        "strides": [high[2], wide[2]],
        "pads": [high[3], wide[3], high[3], wide[3]],
        "output_padding": [high[4], wide[4]],
    }
    bias = np.linspace(-1, 1, CHANNELS[1], dtype=np.float32)
    nodes = [helper.make_node("ConvTranspose", ["x", "w", "b"], ["made"], **{**settings, **changed})]
    nodes.append(helper.make_node(activation or "Identity", ["made"], ["y"]))
    graph = helper.make_graph(
        nodes,
        "layer",
        [helper.make_tensor_value_info("x", 1, ["batch", CHANNELS[0], high[0], wide[0]])],
        [helper.make_tensor_value_info("y", 1, ["batch", None, None, None])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def weights(high: Any, wide: Any) -> NDArray[np.float32]:
    """Weights by which outputs are about as large as inputs."""
    shape = (*CHANNELS, high[1], wide[1])
    values: NDArray[np.float32] = np.random.default_rng(0).standard_normal(shape, np.float32)
    return values / np.float32(np.sqrt(CHANNELS[0] * high[1] * wide[1]))


def run(made: ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    session = load_onnxruntime().InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    result: NDArray[np.float32] = session.run(None, {"x": x})[0]
    return result


@given(high=axes(), wide=axes(), activation=st.sampled_from(["", "Relu", "Tanh", "LeakyRelu"]))
def test_the_same_images_without_a_transposed_convolution(high: Any, wide: Any, activation: str) -> None:
    for size, kernel, stride, pad, more in (high, wide):
        assume((size - 1) * stride - 2 * pad + kernel + more > 0)
    before = model(high, wide, weights(high, wide), activation)
    after = rewrite_transposed(before)
    assert "ConvTranspose" not in {node.op_type for node in after.graph.node}
    onnx.checker.check_model(after, full_check=True)
    x = np.random.default_rng(1).standard_normal((3, CHANNELS[0], high[0], wide[0]), np.float32)
    wanted, made = run(before, x), run(after, x)
    assert made.shape == wanted.shape
    assert np.abs(made - wanted).max() <= 2e-6


def test_an_activation_comes_before_values_change_places() -> None:
    """So that int8 goes on through both, and values are rounded once."""
    axis = (12, 4, 2, 1, 0)
    operators = [node.op_type for node in rewrite_transposed(model(axis, axis, weights(axis, axis), "Relu")).graph.node]
    assert operators.index("Relu") == operators.index("Conv") + 1
    assert operators[-1] == "Transpose"


@pytest.mark.parametrize(("size", "convolutions"), [(8, 4), (9, 1)])
def test_small_maps_have_a_convolution_for_each_phase(size: int, convolutions: int) -> None:
    axis = (size, 4, 2, 1, 0)
    operators = [node.op_type for node in rewrite_transposed(model(axis, axis, weights(axis, axis))).graph.node]
    assert operators.count("Conv") == convolutions


@pytest.mark.parametrize(
    "changed", [{"dilations": [2, 2]}, {"auto_pad": "SAME_UPPER"}, {"output_shape": [8, 8]}], ids=str
)
def test_what_is_of_another_kind_stays(changed: dict[str, Any]) -> None:
    axis = (4, 3, 2, 1, 1)
    before = model(axis, axis, weights(axis, axis), **changed)
    assert "ConvTranspose" in {node.op_type for node in rewrite_transposed(before).graph.node}


def test_a_free_size_stays() -> None:
    axis = (4, 3, 2, 1, 1)
    before = model(axis, axis, weights(axis, axis))
    before.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    assert "ConvTranspose" in {node.op_type for node in rewrite_transposed(before).graph.node}
