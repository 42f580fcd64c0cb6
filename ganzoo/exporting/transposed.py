"""Transposed convolutions as plain ones, exactly: ONNX Runtime has no ConvTranspose in int8, and a slow one on many
threads (microsoft/onnxruntime#8988).

Along one axis, ``y[o] = sum of x[i] w[t] over all i, t with o + p = s i + t``. With ``o + p = s q + r``, r < s, that
is ``y[o] = sum over m of x[q - m] w[r + s m]``: for each of the s phases r a plain convolution with ceil(k / s) taps,
whose outputs are interleaved (depth to space; Shi et al. 2016, arXiv:1609.07009).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper, shape_inference

from ganzoo.exporting.folding import attribute, put

SMALL = 8
"""Largest height and width of an input whose phases are convolved one by one: so no border is computed in vain."""

_POINTWISE = {"Relu", "LeakyRelu", "Tanh", "Sigmoid", "Elu", "Selu", "Softplus", "HardSigmoid", "HardSwish", "Gelu"}
"""Activations, which may as well come before values change places."""

Weight = NDArray[np.float32]


def rewrite_transposed(model: ModelProto) -> ModelProto:
    """A model that computes the same without ConvTranspose, with the shapes of its values.

    What takes the place of a node is called after it: ``NAME.0``, ``NAME.1`` …

    What has groups or dilations, sizes that are free, or weights that are computed, stays as it is.
    """
    model = shape_inference.infer_shapes(model, data_prop=True)
    graph = model.graph
    sizes = {value.name: _sizes(value) for value in (*graph.value_info, *graph.input)}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    readers = _readers(graph)
    nodes: list[NodeProto] = []
    done: list[str] = []
    for node in graph.node:
        layer = _layer(node, constants, sizes) if node.op_type == "ConvTranspose" else None
        if layer is not None:
            activation = readers.get(node.output[0])
            writer = _Writer(node.input[0], node.name or node.output[0], activation)
            layer.write(writer)
            writer.finish((activation or node).output[0])
            nodes += writer.nodes
            done += node.output if activation else []
            constants |= {tensor.name: tensor for tensor in writer.constants}
        elif not any(name in done for name in node.input):
            nodes.append(node)
    needed = {name for node in nodes for name in node.input}
    put(graph.node, nodes)
    put(graph.initializer, [tensor for name, tensor in constants.items() if name in needed])
    del graph.value_info[:]
    return shape_inference.infer_shapes(model, data_prop=True)


def _readers(graph: GraphProto) -> dict[str, NodeProto]:
    """The activations that alone read a value, by its name."""
    uses = Counter(name for node in graph.node for name in node.input)
    uses.update(value.name for value in graph.output)
    return {node.input[0]: node for node in graph.node if node.op_type in _POINTWISE and uses[node.input[0]] == 1}


@dataclass(frozen=True)
class _Axis:
    """One axis of a transposed convolution.

    Args:
        size: of the input.
        kernel, stride: k and s.
        begin: p, the padding at the beginning.
        output: size of the output.
    """

    size: int
    kernel: int
    stride: int
    begin: int
    output: int

    @property
    def taps(self) -> int:
        """Most taps that one phase has."""
        return -(-self.kernel // self.stride)

    @property
    def first(self) -> int:
        """The first q that is computed; one that needs no negative padding."""
        return min(self.begin // self.stride, self.taps - 1)

    @property
    def last(self) -> int:
        return max((self.output - 1 + self.begin) // self.stride, self.size - 1)

    @property
    def pads(self) -> tuple[int, int]:
        """Padding of the convolution that makes all phases at once."""
        return self.taps - 1 - self.first, self.last - self.size + 1

    @property
    def crop(self) -> int:
        """Where the output begins in what is interleaved."""
        return self.begin - self.first * self.stride

    def phase(self, place: int) -> tuple[range, tuple[int, int]]:
        """The taps of the outputs ``place, place + s …``, in the order of a convolution, and its pads."""
        base, rest = divmod(place + self.begin, self.stride)
        taps = range(rest, max(self.kernel, rest + 1), self.stride)[::-1]
        return taps, (len(taps) - 1 - base, self.output // self.stride - self.size + base)

    @property
    def splits(self) -> bool:
        """Whether each phase can be computed alone: none has a border that is cut off, or lacks taps."""
        pads = (min(self.phase(place)[1]) for place in range(self.stride))
        return self.output % self.stride == 0 and self.kernel >= self.stride and min(pads) >= 0


@dataclass(frozen=True)
class _Layer:
    """A transposed convolution of images.

    Args:
        weight: [Cin, Cout, kh, kw].
        bias: [Cout].
        axes: height and width.
    """

    weight: Weight
    bias: Weight
    axes: tuple[_Axis, _Axis]

    def write(self, writer: "_Writer") -> None:
        """Write the nodes that compute it."""
        high, wide = self.axes
        if high.size == wide.size == 1:
            self._write_product(writer)
        elif self._phases > 1 and max(high.size, wide.size) <= SMALL and high.splits and wide.splits:
            self._write_phases(writer)
        else:
            self._write_whole(writer)

    @property
    def _phases(self) -> int:
        return self.axes[0].stride * self.axes[1].stride

    def _write_product(self, writer: "_Writer") -> None:
        """An input of one pixel: each output pixel is that, times one tap."""
        inputs, outputs = self.weight.shape[:2]
        high, wide = self.axes
        kernel = np.zeros((inputs, high.output, wide.output, outputs), np.float32)
        rows, columns = (max(0, min(axis.kernel - axis.begin, axis.output)) for axis in self.axes)
        taps = self.weight[:, :, high.begin : high.begin + rows, wide.begin : wide.begin + columns]
        kernel[:, :rows, :columns] = taps.transpose(0, 2, 3, 1)
        writer.reshape([0, inputs])
        pixels = high.output * wide.output
        writer.add("Gemm", kernel.reshape(inputs, -1), np.tile(self.bias, pixels))
        writer.activate()
        writer.reshape([-1, high.output, wide.output, outputs])
        writer.add("Transpose", perm=[0, 3, 1, 2])

    def _write_phases(self, writer: "_Writer") -> None:
        """A convolution for each phase, each without a border in vain."""
        high, wide = self.axes
        source, parts = writer.value, []
        for row in range(high.stride):
            for column in range(wide.stride):
                (rows, above), (columns, before) = high.phase(row), wide.phase(column)
                kernel = self.weight[:, :, list(rows)][..., list(columns)].transpose(1, 0, 2, 3)
                writer.value = source
                writer.add("Conv", kernel, self.bias, pads=[above[0], before[0], above[1], before[1]])
                writer.activate()
                parts.append(writer.value)
        writer.join(parts)
        self._interleave(writer, high.output // high.stride, wide.output // wide.stride)

    def _write_whole(self, writer: "_Writer") -> None:
        """One convolution that makes all phases; what its border has too much is cut off."""
        inputs, outputs, *_ = self.weight.shape
        high, wide = self.axes
        full = np.zeros((inputs, outputs, high.taps * high.stride, wide.taps * wide.stride), np.float32)
        full[:, :, : high.kernel, : wide.kernel] = self.weight
        split = full.reshape(inputs, outputs, high.taps, high.stride, wide.taps, wide.stride)
        kernel = split[:, :, ::-1, :, ::-1].transpose(3, 5, 1, 0, 2, 4).reshape(-1, inputs, high.taps, wide.taps)
        pads = [high.pads[0], wide.pads[0], high.pads[1], wide.pads[1]]
        writer.add("Conv", kernel, np.tile(self.bias, high.stride * wide.stride), pads=pads)
        writer.activate()
        self._interleave(writer, high.last - high.first + 1, wide.last - wide.first + 1)

    def _interleave(self, writer: "_Writer", rows: int, columns: int) -> None:
        """[N, (sh, sw, C), rows, columns] -> [N, C, H, W], with channels last on the way: so it moves whole pixels."""
        outputs = len(self.bias)
        high, wide = self.axes
        tall, broad = rows * high.stride, columns * wide.stride
        if self._phases > 1:
            writer.add("Transpose", perm=[0, 2, 3, 1])
            writer.reshape([0, rows, columns, high.stride, wide.stride * outputs])
            writer.add("Transpose", perm=[0, 1, 3, 2, 4])
            writer.reshape([0, tall, broad, outputs])
        if (tall, broad) != (high.output, wide.output):
            starts, ends = zip(*((axis.crop, axis.crop + axis.output) for axis in self.axes), strict=True)
            axes = [1, 2] if self._phases > 1 else [2, 3]
            writer.add("Slice", *map(np.array, (starts, ends, axes)))
        if self._phases > 1:
            writer.add("Transpose", perm=[0, 3, 1, 2])


class _Writer:
    """Writes nodes that follow each other.

    Args:
        value: the input of the first.
        name: what the nodes and their values are called after.
        activation: the activation that is put among them; None: none is.
    """

    def __init__(self, value: str, name: str, activation: NodeProto | None) -> None:
        self.value = value
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._name = name
        self._activation = activation

    def add(self, operator: str, *constants: NDArray[Any], **attributes: Any) -> None:
        """A node of the current value and of constants."""
        inputs = [self.value]
        for constant in constants:
            name = f"{self._name}.c{len(self.constants)}"
            kept = constant.astype(np.int64 if np.issubdtype(constant.dtype, np.integer) else np.float32)
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(kept), name))
            inputs.append(name)
        self._append(helper.make_node(operator, inputs, [""], **attributes))

    def reshape(self, sizes: Sequence[int]) -> None:
        """The current value in another shape; 0 keeps a size, -1 is what is left."""
        self.add("Reshape", np.array(sizes))

    def join(self, parts: Sequence[str]) -> None:
        """Several values behind each other, by their channels."""
        self._append(helper.make_node("Concat", parts, [""], axis=1))

    def activate(self) -> None:
        """The activation, if there is one."""
        if self._activation is not None:
            node = NodeProto.FromString(self._activation.SerializeToString())
            node.input[0] = self.value
            self._append(node)

    def finish(self, output: str) -> None:
        """Call the last value by this name."""
        self.nodes[-1].output[0] = output

    def _append(self, node: NodeProto) -> None:
        self.value = node.output[0] = f"{self._name}.{len(self.nodes)}"
        node.name = self.value
        self.nodes.append(node)


def _layer(node: NodeProto, constants: Mapping[str, TensorProto], sizes: Mapping[str, Sequence[int]]) -> _Layer | None:
    """What a ConvTranspose computes; None: it is of a kind that stays."""
    tensors = [constants.get(name) for name in node.input[1:]]
    size = list(sizes.get(node.input[0], ()))[2:]
    plain = attribute(node, "group", 1) == 1 and set(attribute(node, "dilations", [1])) == {1}
    fixed = attribute(node, "auto_pad", b"NOTSET") == b"NOTSET" and not attribute(node, "output_shape", None)
    if len(size) != 2 or min(size) < 1 or None in tensors or not plain or not fixed:
        return None
    weight, *biases = (numpy_helper.to_array(tensor) for tensor in tensors if tensor is not None)
    if weight.dtype != np.float32:
        return None
    strides, more = attribute(node, "strides", [1, 1]), attribute(node, "output_padding", [0, 0])
    pads = attribute(node, "pads", [0, 0, 0, 0])
    axes = []
    for each, kernel in enumerate(weight.shape[2:]):
        output = (size[each] - 1) * strides[each] - pads[each] - pads[each + 2] + kernel + more[each]
        axes.append(_Axis(size[each], kernel, strides[each], pads[each], output))
    if min(axis.output for axis in axes) < 1:
        return None
    bias = biases[0] if biases else np.zeros(weight.shape[1], np.float32)
    return _Layer(weight, bias, (axes[0], axes[1]))


def _sizes(value: ValueInfoProto) -> list[int]:
    """The sizes of a value; 0 where one is free."""
    return [each.dim_value for each in value.type.tensor_type.shape.dim]
