"""A graph is made smaller, and computes what it computed."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings, strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from ganzoo.exporting.convert import to_graph, to_onnx
from ganzoo.exporting.folding import fold
from ganzoo.runtime.graph import read_graph
from ganzoo.runtime.session import open_session

Make = Callable[..., Any]


def model(nodes: list[Any], constants: dict[str, Any], shape: list[Any], outputs: int = 1) -> ModelProto:
    """A model with one input ``x`` and outputs ``y``, of an unknown shape each."""
    names = ["y", "y1", "y2"][:outputs]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return onnx.shape_inference.infer_shapes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    )


def operators(found: ModelProto) -> list[str]:
    return [node.op_type for node in found.graph.node]


def run(found: ModelProto, x: Any) -> Any:
    session, _ = open_session(found.SerializeToString(), device="cpu", threads=1)
    return session.run(None, {"x": x})[0]


def folded(found: ModelProto, x: Any, tolerance: float = 0.0) -> list[str]:
    """The operators after the fold, which must compute the same of ``x``."""
    before = run(found, x)
    fold(found)
    onnx.checker.check_model(found, full_check=True)
    np.testing.assert_allclose(run(found, x), before, rtol=0, atol=tolerance)
    return operators(found)


def drawn(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("epsilon", [1e-8, 1e-12])
def test_a_small_epsilon_survives(epsilon: float, make_card: Make) -> None:
    """torch's own optimiser takes it for 0, and the image of the latent 0 would be NaN."""

    class PixelNorm(nn.Module):
        def forward(self, z: Tensor, labels: None) -> Tensor:
            return (z * (z.square().mean(1, keepdim=True) + epsilon).rsqrt()).repeat(1, 16).view(-1, 1, 8, 8)

    network = PixelNorm().eval()
    session, _ = open_session(to_onnx(network, make_card()), device="cpu", threads=1)
    z = np.array([[0.0] * 4, [epsilon**0.5] * 4, [1.0, 2.0, 3.0, 4.0]], np.float32)
    np.testing.assert_allclose(session.run(["images"], {"z": z})[0], network(torch.from_numpy(z), None), rtol=1e-5)


@settings(max_examples=25)
@given(
    kind=st.sampled_from(["Conv", "ConvTranspose", "Gemm", "Gemm transB"]),
    inputs=st.integers(1, 4),
    outputs=st.integers(1, 4),
    size=st.integers(1, 4),
    stride=st.integers(1, 2),
    bias=st.booleans(),
    seed=st.integers(0, 9),
)
def test_a_batch_norm_becomes_weights(
    kind: str, inputs: int, outputs: int, size: int, stride: int, bias: bool, seed: int
) -> None:
    constants = {name: drawn(outputs, seed=seed + place) for place, name in enumerate(("scale", "shift", "mean"))}
    constants["var"] = np.abs(drawn(outputs, seed=seed)) + np.float32(0.1)
    constants |= {"bias": drawn(outputs, seed=seed + 7)} if bias else {}
    names = ["x", "weight", "bias"][: 2 + bias]
    if kind.startswith("Gemm"):
        across = kind.endswith("transB")
        constants["weight"] = drawn(*((outputs, inputs) if across else (inputs, outputs)), seed=seed + 5)
        layer = helper.make_node("Gemm", names, ["h"], transB=int(across))
        shape = [3, inputs]
    else:
        axes = (outputs, inputs) if kind == "Conv" else (inputs, outputs)
        constants["weight"] = drawn(*axes, size, size, seed=seed + 5)
        layer = helper.make_node(kind, names, ["h"], strides=[stride, stride])
        shape = [3, inputs, 6, 6]
    norm = helper.make_node("BatchNormalization", ["h", "scale", "shift", "mean", "var"], ["y"], epsilon=1e-3)
    found = model([layer, norm], constants, shape)
    assert folded(found, drawn(*shape, seed=seed + 9), 1e-3) == [kind.partition(" ")[0]]


@pytest.mark.parametrize(
    "change",
    [
        "grouped",
        "shared weight",
        "read elsewhere",
        "statistics of the batch",
        "scaled",
    ],
)
def test_a_batch_norm_that_cannot_stays(change: str) -> None:
    """A grouped transposed convolution, say, whose weight counts its output channels in two places."""
    constants = {name: np.abs(drawn(4, seed=place)) + 1 for place, name in enumerate(("s", "b", "m", "v"))}
    options: dict[str, Any] = {"training_mode": 1} if change == "statistics of the batch" else {}
    outputs = ["n", "m1", "v1"] if options else ["n"]
    norm = helper.make_node("BatchNormalization", ["h", "s", "b", "m", "v"], outputs, **options)
    shape, after = [3, 4, 5, 5], [helper.make_node("Relu", ["n"], ["y"])]
    layer = helper.make_node("ConvTranspose", ["x", "w"], ["h"], group=2)
    constants["w"] = drawn(4, 2, 2, 2)
    if change != "grouped":
        layer, constants["w"] = helper.make_node("Conv", ["x", "w"], ["h"]), drawn(4, 4, 1, 1)
    if change == "shared weight":
        after = [helper.make_node("Conv", ["n", "w"], ["y"])]
    if change == "read elsewhere":
        after = [helper.make_node("Add", ["n", "h"], ["y"])]
    if change == "scaled":
        shape, constants["w"] = [3, 4], drawn(4, 4)
        layer = helper.make_node("Gemm", ["x", "w"], ["h"], alpha=2.0)
    found = model([layer, norm, *after], constants, shape)
    assert "BatchNormalization" in folded(found, drawn(*shape))


def test_sizes_that_a_reshape_can_infer() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["one"], start=0, end=1),
        helper.make_node("Squeeze", ["one"], ["n"]),
        helper.make_node("Reshape", ["n", "flat"], ["first"]),
        helper.make_node("Concat", ["first", "rest"], ["shape"], axis=0),
        helper.make_node("Reshape", ["x", "shape"], ["y"], allowzero=1),
    ]
    constants = {"flat": np.array([-1]), "rest": np.array([2, 3])}
    assert folded(model(nodes, constants, ["batch", 6]), drawn(5, 6)) == ["Reshape"]
    constants["rest"] = np.array([-1, 3])  # two unknown ones
    assert "Shape" in folded(model(nodes, constants, ["batch", 6]), drawn(5, 6))


def test_a_size_that_may_be_several_is_computed() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Concat", ["shape", "one"], ["longer"], axis=0),
        helper.make_node("Reshape", ["x", "longer"], ["y"]),
    ]
    found = model(nodes, {"one": np.array([1])}, ["batch", 6])
    assert folded(found, drawn(5, 6)) == ["Shape", "Concat", "Reshape"]


def test_what_does_nothing_is_gone() -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["a"], to=TensorProto.FLOAT),
        helper.make_node("Identity", ["a"], ["b"]),
        helper.make_node("Slice", ["b", "zero", "end", "axis", "step"], ["c"]),
        helper.make_node("Tanh", ["c"], ["y"]),
        helper.make_node("Exp", ["b"], ["unused"]),
    ]
    constants = {"zero": [0], "end": [2**63 - 1], "axis": [1], "step": [1]}
    assert folded(model(nodes, constants, ["batch", 6]), drawn(5, 6)) == ["Tanh"]
    constants["end"] = [5]
    assert folded(model(nodes, constants, ["batch", 6]), drawn(5, 6)) == ["Slice", "Tanh"]


def test_nothing_that_adds_little_is_taken_for_nothing() -> None:
    nodes = [helper.make_node("Add", ["x", "little"], ["h"]), helper.make_node("Mul", ["h", "near"], ["y"])]
    constants = {"little": np.float32(1e-12), "near": np.float32(1 + 1e-7)}
    assert folded(model(nodes, constants, ["batch", 6]), drawn(5, 6)) == ["Add", "Mul"]


def test_constants_are_computed_unless_they_grow() -> None:
    nodes = [
        helper.make_node("Mul", ["two", "two"], ["four"]),
        helper.make_node("Expand", ["four", "large"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    constants = {"two": np.array([2], np.float32), "large": np.array([1 << 19])}
    assert folded(model(nodes, constants, ["batch", 6]), drawn(5, 6), 1e6) == ["Expand", "ReduceSum", "Add"]
    constants["large"] = np.array([1 << 9])
    assert folded(model(nodes, constants, ["batch", 6]), drawn(5, 6), 1e-3) == ["Add"]


def test_spectral_norm_becomes_a_weight(make_card: Make) -> None:
    """What torch computes from u, v and the weight at each call is one tensor in the file."""
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 64))

        def forward(self, z: Tensor, labels: None) -> Tensor:
            images: Tensor = self.layer(z).view(-1, 1, 8, 8)
            return images

    network = Net().eval()
    data = to_onnx(network, make_card())
    assert [node.operator for node in read_graph(data).nodes] == ["Gemm", "Reshape"]
    z = drawn(5, 4)
    session, _ = open_session(data, device="cpu", threads=1)
    np.testing.assert_allclose(
        session.run(["images"], {"z": z})[0], network(torch.from_numpy(z), None).detach(), atol=1e-6
    )


def test_one_graph_takes_the_weights_of_every_version(make_generator: Make, make_card: Make) -> None:
    """BatchNorm's statistics, too, which are folded into other weights."""
    early, late, card = make_generator(3).eval(), make_generator(3).eval(), make_card(3)
    with torch.no_grad(), warnings.catch_warnings():
        for tensor in late.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor))
    graph = to_graph(early, card)
    assert graph.file(late, card) == to_onnx(late, card) != graph.file(early, card) == to_onnx(early, card)
    assert max(len(tensor.raw_data) for tensor in graph.proto.graph.initializer) == 0
