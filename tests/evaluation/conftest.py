"""Features to compare, and extractors made by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from ganzoo_plugins.digits import reader

Features = NDArray[np.float64]


def _flat(pixels: NDArray[np.uint8]) -> Features:
    return pixels.reshape(len(pixels), -1) / 255


def _correlated(n: int, seed: int) -> Features:
    """32 features that are mixtures of 8, and a little noise in a few of them: nearly singular."""
    mixing = np.random.default_rng(0).normal(size=(8, 32))
    random = np.random.default_rng(seed)
    noise = random.normal(size=(n, 32)) * np.linspace(0, 0.1, 32)
    return np.asarray(random.normal(loc=0.1 * seed, size=(n, 8)) @ mixing + noise)


@pytest.fixture(scope="session")
def pairs() -> dict[str, tuple[Features, Features]]:
    """Two sets each, as many of the one as of the other."""
    training, held_out = reader.training(), reader.held_out()
    n = len(held_out)
    threes = training.pixels[training.labels == 3]
    return {
        "digits": (_flat(training.pixels[:n]), _flat(held_out.pixels)),
        "correlated": (_correlated(300, 1), _correlated(300, 2)),
        "fewer images than features": (_correlated(20, 3), _correlated(20, 4)),
        "one class": (_flat(training.pixels[: len(threes)]), _flat(threes)),
    }


@pytest.fixture(params=["digits", "correlated", "fewer images than features", "one class"])
def pair(request: pytest.FixtureRequest, pairs: dict[str, tuple[Features, Features]]) -> tuple[Features, Features]:
    return pairs[request.param]


def _make_extractor(
    nodes: list[tuple[str, list[str], list[str]]],
    outputs: dict[str, list[Any]],
    *,
    shape: tuple[Any, ...] = ("batch", 3, 8, 8),
    dtype: int = TensorProto.UINT8,
    inputs: tuple[str, ...] = ("images",),
) -> bytes:
    """An ONNX file: ``pixels`` are the images in float32, ``features`` their mean in each channel; and more nodes."""
    made = [helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT)]
    if len(shape) == 4:
        made.append(helper.make_node("ReduceMean", ["pixels", "across"], ["features"], keepdims=0))
    graph = helper.make_graph(
        [*made, *(helper.make_node(*node) for node in nodes)],
        "extractor",
        [helper.make_tensor_value_info(name, dtype, shape) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, form) for name, form in outputs.items()],
        [
            helper.make_tensor("across", TensorProto.INT64, [2], [2, 3]),
            helper.make_tensor("along", TensorProto.INT64, [1], [0]),
            helper.make_tensor("rows", TensorProto.INT64, [2], [-1, 192]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="session")
def make_extractor() -> Callable[..., bytes]:
    return _make_extractor
