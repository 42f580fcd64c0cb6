"""Makes a graph smaller without changing what it computes: each rewrite is an equation that holds for every input.

ONNX Runtime does some of it itself when it loads a file. It is done here for what it does not do (a BatchNorm after a
transposed convolution), for other readers, and so that the file holds weights instead of how they are computed.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from ganzoo.runtime.vetting import CONTROL, RANDOM

LARGEST = 1 << 20
"""Most bytes by which a value that is computed beforehand may exceed what it is computed from."""

ENDLESS = (1 << 31) - 1
"""An end of a slice from which it reaches to the end of any axis."""

_ARITHMETIC = {"Add", "Sub", "Mul", "Div", "Mod", "Max", "Min"}


def fold(model: ModelProto) -> None:
    """Rewrite the model's graph in place, as far as it goes."""
    graph = _Graph(model)
    graph.evaluate_constants()
    graph.infer_sizes()
    graph.drop_identities()
    graph.fuse_batch_norms()
    graph.write()


class _Graph:
    """A graph while it is rewritten: nodes in their order, and constants by name."""

    def __init__(self, model: ModelProto) -> None:
        self._model = model
        self._nodes: list[NodeProto] = list(model.graph.node)
        self._constants: dict[str, TensorProto] = {each.name: each for each in model.graph.initializer}
        self._outputs = {value.name for value in model.graph.output}
        typed = [*model.graph.value_info, *model.graph.input, *model.graph.output]
        self._types = {value.name: value.type.tensor_type.elem_type for value in typed}

    def evaluate_constants(self) -> None:
        """Compute what depends on constants alone."""
        rest = []
        for node in self._nodes:
            self._name_type(node)
            value = self._value(node)
            if value is None:
                rest.append(node)
            else:
                self._constants[node.output[0]] = numpy_helper.from_array(value, node.output[0])
        self._nodes = rest

    def _name_type(self, node: NodeProto) -> None:
        """CastLike(x, y) is Cast(x) to the type of y, which depends on y no more."""
        kind = self._types.get(node.input[1]) if node.op_type == "CastLike" else None
        if kind:
            node.op_type = "Cast"
            del node.input[1]
            node.attribute.append(helper.make_attribute("to", kind))

    def _value(self, node: NodeProto) -> NDArray[Any] | None:
        """The node's output, if it is known and of a size to keep."""
        inputs = [name for name in node.input if name]
        odd = node.op_type in RANDOM | CONTROL or node.domain not in ("", "ai.onnx") or len(node.output) != 1
        if odd or not self._constants.keys() >= set(inputs) or node.output[0] in self._outputs:
            return None
        given = {name: numpy_helper.to_array(self._constants[name]) for name in inputs}
        ports = [
            helper.make_tensor_value_info(name, self._constants[name].data_type, array.shape)
            for name, array in given.items()
        ]
        made = helper.make_tensor_value_info(node.output[0], TensorProto.UNDEFINED, None)
        alone = helper.make_model(
            helper.make_graph([node], node.op_type, ports, [made]), opset_imports=self._model.opset_import
        )
        try:
            with np.errstate(all="ignore"):
                outputs: Any = ReferenceEvaluator(alone).run(None, given)
            value = np.asarray(outputs[0])
            numpy_helper.from_array(value)
        except Exception:  # whatever it lacks, ONNX Runtime may have
            return None
        return value if value.nbytes <= LARGEST + sum(array.nbytes for array in given.values()) else None

    def infer_sizes(self) -> None:
        """Reshape to [n, 4, 4], n computed from a shape, is Reshape to [-1, 4, 4]: there is one n that fits."""
        made = self._producers()
        for node in self._nodes:
            target = made.get(node.input[1]) if node.op_type == "Reshape" else None
            if target is None or target.op_type != "Concat":
                continue
            parts = [self._array(name) for name in target.input]
            free = [name for name, part in zip(target.input, parts, strict=True) if part is None]
            if len(free) != 1 or not self._is_one_number(free[0], made):
                continue
            sizes = [size for part in parts for size in ([-1] if part is None else part.tolist())]
            if min(size for size in (*sizes, 1) if size != -1) < 1 or sizes.count(-1) != 1:
                continue
            name = f"{node.output[0]}.shape"
            self._constants[name] = numpy_helper.from_array(np.array(sizes, np.int64), name)
            node.input[1] = name
            _forget(node, "allowzero")

    def _is_one_number(self, name: str, made: dict[str, NodeProto]) -> bool:
        """Whether a value is a tensor of one element, as a size of a shape is."""
        value, node = self._array(name), made.get(name)
        if value is not None:
            return value.size == 1
        if node is None:
            return False
        if node.op_type == "Shape":
            bounds = {each.name: each.i for each in node.attribute}
            return "end" in bounds and bounds["end"] - bounds.get("start", 0) == 1 and bounds["end"] > 0
        if node.op_type in ("Squeeze", "Unsqueeze", "Reshape", "Cast", "Identity"):
            return self._is_one_number(node.input[0], made)
        return node.op_type in _ARITHMETIC and all(self._is_one_number(each, made) for each in node.input)

    def drop_identities(self) -> None:
        """Take out what returns its input."""
        instead: dict[str, str] = {}
        rest = []
        for node in self._nodes:
            for place, name in enumerate(node.input):
                node.input[place] = instead.get(name, name)
            if self._is_identity(node) and node.output[0] not in self._outputs:
                instead[node.output[0]] = node.input[0]
            else:
                rest.append(node)
        self._nodes = rest

    def _is_identity(self, node: NodeProto) -> bool:
        if node.op_type == "Cast":
            return bool(self._types.get(node.input[0], -1) == attribute(node, "to", 0))
        if node.op_type == "Slice":
            starts, ends, *rest = (self._array(name) for name in node.input[1:])
            steps = rest[1] if len(rest) > 1 else np.ones(1)
            if starts is None or ends is None or steps is None:
                return False
            return bool((starts == 0).all() and (ends >= ENDLESS).all() and (steps == 1).all())
        return node.op_type == "Identity"

    def fuse_batch_norms(self) -> None:
        """s (w * x + b - mean) + beta = (s w) * x + (s (b - mean) + beta), with s = gamma / sqrt(var + epsilon)."""
        made, uses = self._producers(), self._uses()
        rest = []
        for node in self._nodes:
            before = made.get(node.input[0]) if node.op_type == "BatchNormalization" else None
            alone = before is not None and uses[before.output[0]] == 1 and before.output[0] not in self._outputs
            if before is None or not alone or not self._fuse(before, node, uses):
                rest.append(node)
        self._nodes = rest

    def _fuse(self, layer: NodeProto, norm: NodeProto, uses: Counter[str]) -> bool:
        weight, axis = self._array(layer.input[1]) if len(layer.input) > 1 else None, _output_axis(layer)
        scale, shift, mean, variance = (self._array(name) for name in norm.input[1:5])
        if weight is None or axis is None or uses[layer.input[1]] != 1 or len(norm.output) != 1:
            return False
        if scale is None or shift is None or mean is None or variance is None or attribute(norm, "training_mode", 0):
            return False
        bias = self._array(layer.input[2]) if len(layer.input) > 2 else np.zeros(len(scale))
        if bias is None or bias.shape != scale.shape or weight.dtype != np.float32:
            return False
        factor = scale / np.sqrt(variance.astype(np.float64) + attribute(norm, "epsilon", 1e-5))
        wide = factor.reshape([-1 if each == axis else 1 for each in range(weight.ndim)])
        offset = (bias - mean.astype(np.float64)) * factor + shift
        self._replace(layer.input[1], weight * wide)
        name = f"{norm.output[0]}.bias"
        self._replace(name, offset)
        layer.input[:] = [*layer.input[:2], name]
        layer.output[0] = norm.output[0]
        return True

    def _replace(self, name: str, value: NDArray[Any]) -> None:
        self._constants[name] = numpy_helper.from_array(value.astype(np.float32), name)

    def write(self) -> None:
        """Put what is still needed into the model, and nothing else."""
        needed, kept = set(self._outputs), []
        for node in reversed(self._nodes):
            if not needed.isdisjoint(node.output):
                kept.append(node)
                needed.update(node.input)
        graph = self._model.graph
        put(graph.node, kept[::-1])
        put(graph.initializer, [each for name, each in self._constants.items() if name in needed])
        inner = {name for node in kept for name in node.output} - self._outputs
        put(graph.value_info, [value for value in graph.value_info if value.name in inner])

    def _producers(self) -> dict[str, NodeProto]:
        return {name: node for node in self._nodes for name in node.output}

    def _uses(self) -> Counter[str]:
        return Counter(name for node in self._nodes for name in node.input)

    def _array(self, name: str) -> NDArray[Any] | None:
        tensor = self._constants.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)


def _output_axis(node: NodeProto) -> int | None:
    """The axis of the node's weight that counts its output channels; None: it is no layer with one."""
    if node.op_type == "Conv":
        return 0
    if node.op_type == "ConvTranspose":
        return 1 if attribute(node, "group", 1) == 1 else None
    plain = attribute(node, "alpha", 1.0) == attribute(node, "beta", 1.0) == 1.0
    if node.op_type == "Gemm" and plain:
        return 0 if attribute(node, "transB", 0) else 1
    return None


def put(field: Any, values: Iterable[Any]) -> None:
    """Replace the messages of a repeated field; they may be its own."""
    copies = [type(each).FromString(each.SerializeToString()) for each in values]
    del field[:]
    field.extend(copies)


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    """The value of a node's attribute, or ``default``."""
    found = next((each for each in node.attribute if each.name == name), None)
    return default if found is None else onnx.helper.get_attribute_value(found)


def _forget(node: NodeProto, name: str) -> None:
    kept = [each for each in node.attribute if each.name != name]
    del node.attribute[:]
    node.attribute.extend(kept)
