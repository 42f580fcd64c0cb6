"""Tensors of the Open Inference Protocol: in JSON, or in binary behind it."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import UsageError
from ganzoo.images import require_finite
from ganzoo.runtime.card import GeneratorCard
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.serving.bodies import MalformedError
from ganzoo.serving.jobs import Job
from ganzoo.serving.query import MAX_IMAGES

HEAD_LENGTH = "Inference-Header-Content-Length"
"""The header that says how many bytes of a body are JSON; what follows are the tensors, in binary."""

_TYPES: Mapping[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "INT64": np.dtype("<i8")}


@dataclass(frozen=True)
class Tensor:
    """An input or the output of a graph.

    Args:
        name: in the graph.
        datatype: one of the protocol's.
        shape: of one image.
        low, high: the range of its values.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    low: float = -math.inf
    high: float = math.inf

    def described(self) -> dict[str, object]:
        """As the protocol writes it: -1 is the batch."""
        return {"name": self.name, "datatype": self.datatype, "shape": [-1, *self.shape]}


def signature(card: GeneratorCard) -> tuple[dict[str, Tensor], Tensor]:
    """The inputs of a generator by name, and its output."""
    inputs = [Tensor("z", "FP32", (card.latent_dim,))]
    if card.class_names:
        inputs.append(Tensor("labels", "INT64", (), 0, len(card.class_names) - 1))
    inputs += [Tensor(name, "FP32", (1,), each.low, each.high) for name, each in card.controls.items()]
    return {each.name: each for each in inputs}, Tensor("images", "FP32", (card.channels, card.height, card.width))


@dataclass(frozen=True)
class InferRequest:
    """A checked request.

    Args:
        rows: each input of the graph, an image a row.
        identity: ``{"id": ...}`` of a request that has one.
        binary: whether the images are wanted in binary.
    """

    rows: Mapping[str, NDArray[Any]]
    identity: Mapping[str, str]
    binary: bool

    @classmethod
    def parse(cls, body: bytes, head_length: str | None, card: GeneratorCard) -> "InferRequest":
        """Read a request.

        Args:
            head_length: the header ``HEAD_LENGTH``, where there is one.
            card: of the generator.

        Raises:
            MalformedError: it is no JSON, or shorter than it says.
            UsageError: a field is missing, or cannot be used; names it.
        """
        length = len(body) if head_length is None else _length(head_length, len(body))
        fields = _parse(body[:length])
        inputs, output = signature(card)
        rows = _inputs(_get(fields, "inputs", list, "inputs"), body[length:], inputs)
        for name, control in card.controls.items():
            rows.setdefault(name, np.full((len(rows["z"]), 1), control.default, np.float32))
        binary = _get(
            _get(fields, "parameters", dict, "parameters", {}), "binary_data_output", bool, "binary_data_output", False
        )
        for index, wanted in enumerate(_get(fields, "outputs", list, "outputs", [])):
            where = f"outputs[{index}]"
            if _get(wanted, "name", str, f"{where}.name") != output.name:
                raise UsageError(f"{where}.name is no output", hint=f"the output is called {output.name!r}")
            parameters = _get(wanted, "parameters", dict, f"{where}.parameters", {})
            binary = _get(parameters, "binary_data", bool, f"{where}.parameters.binary_data", binary)
        identity = _get(fields, "id", str, "id", "")
        return cls(rows, {"id": identity} if identity else {}, binary)

    def job(self, generator: ImageGenerator, head: Mapping[str, object]) -> tuple[Job, int | None]:
        """What the pool is asked to do, and how many bytes of the answer are JSON before binary; None: all.

        Args:
            head: what the answer says of itself.
        """
        _, output = signature(generator.card)
        count = len(self.rows["z"])
        described = {"name": output.name, "datatype": output.datatype, "shape": [count, *output.shape]}
        size = count * math.prod(output.shape) * _TYPES[output.datatype].itemsize
        first = {**head, "outputs": [{**described, "parameters": {"binary_data_size": size}}]}
        before = json.dumps(first).encode()

        def in_json(images: NDArray[np.float32]) -> bytes:
            return json.dumps({**head, "outputs": [{**described, "data": images.ravel().tolist()}]}).encode()

        def in_binary(images: NDArray[np.float32]) -> bytes:
            content: bytes = images.astype(_TYPES[output.datatype], copy=False).tobytes()
            return before + content

        job = Job(
            generator=generator,
            images=count,
            rows=lambda first, count: {name: rows[first : first + count] for name, rows in self.rows.items()},
            convert=_finite,
            encode=in_binary if self.binary else in_json,
        )
        return job, len(before) if self.binary else None


def _finite(images: NDArray[np.float32], first: int) -> NDArray[np.float32]:
    require_finite(images, first)
    return images


def _length(text: str, size: int) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= size):
        raise MalformedError(f"{HEAD_LENGTH} must be at most the body's {size} bytes, not {text!r:.40}")
    return int(text)


def _parse(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the body is no JSON: {error}", hint="send Content-Type: application/json") from None
    if not isinstance(found, dict):
        raise UsageError("the body must be an object", hint='for example {"inputs": [...]}')
    return found


def _inputs(given: list[Any], binary: bytes, known: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """The arrays of all inputs, all with as many rows."""
    found: dict[str, NDArray[Any]] = {}
    for index, each in enumerate(given):
        where = f"inputs[{index}]"
        name = _get(each, "name", str, f"{where}.name")
        if name not in known or name in found:
            problem = "is given twice" if name in found else "is no input"
            raise UsageError(f"{where}.name {problem}: {name!r:.60}", hint=f"the inputs are {', '.join(known)}")
        size = _get(
            _get(each, "parameters", dict, f"{where}.parameters", {}),
            "binary_data_size",
            int,
            f"{where}.parameters.binary_data_size",
            -1,
        )
        found[name] = _array(each, where, known[name], None if size < 0 else binary[:size])
        binary = binary[max(size, 0) :]
    missing = [name for name, tensor in known.items() if name not in found and name in ("z", "labels")]
    if missing:
        raise UsageError(f"inputs lacks {missing[0]!r}", hint=f"the inputs are {', '.join(known)}")
    if binary:
        raise UsageError(
            f"{len(binary)} bytes behind the inputs belong to none", hint="say how many each has: binary_data_size"
        )
    counts = {name: len(rows) for name, rows in found.items()}
    if len(set(counts.values())) > 1:
        raise UsageError(f"the inputs differ in their first dimension: {counts}", hint="one row an image")
    return found


def _array(fields: Any, where: str, tensor: Tensor, binary: bytes | None) -> NDArray[Any]:
    """An input's values, of the right type and shape, and within their range."""
    datatype = _get(fields, "datatype", str, f"{where}.datatype")
    if datatype != tensor.datatype:
        raise UsageError(f"{where}.datatype of {tensor.name!r} must be {tensor.datatype}, not {datatype!r:.60}")
    shape = _get(fields, "shape", list, f"{where}.shape")
    count = shape[0] if shape and type(shape[0]) is int else 0
    if shape[1:] != list(tensor.shape) or not 1 <= count <= MAX_IMAGES:
        wanted = ", ".join(map(str, ("N", *tensor.shape)))
        raise UsageError(
            f"{where}.shape of {tensor.name!r} must be [{wanted}], not {shape!r:.60}", hint=f"N is 1 to {MAX_IMAGES}"
        )
    kind = _TYPES[tensor.datatype]
    values = _numbers(_get(fields, "data", list, f"{where}.data"), where, kind) if binary is None else None
    size = count * math.prod(tensor.shape)
    if values is None:
        if len(binary or b"") != size * kind.itemsize:
            raise UsageError(f"{where} has {len(binary or b'')} bytes instead of {size * kind.itemsize}")
        values = np.frombuffer(binary or b"", kind)
    if values.size != size:
        raise UsageError(f"{where}.data has {values.size} values instead of {size}")
    within = np.isfinite(values) & (values >= tensor.low) & (values <= tensor.high)
    if not within.all():
        bounds = "finite numbers" if math.isinf(tensor.high) else f"from {tensor.low:g} to {tensor.high:g}"
        raise UsageError(f"{where}.data of {tensor.name!r} must be {bounds}, not {values.flat[int(within.argmin())]}")
    return values.reshape(count, *tensor.shape).astype(kind.newbyteorder("="))


def _numbers(data: list[Any], where: str, kind: np.dtype[Any]) -> NDArray[Any]:
    try:
        found = np.array(data)
    except (ValueError, OverflowError, RecursionError):  # rows of several lengths, say
        found = np.array(None)
    if found.dtype.kind not in ("iuf" if kind.kind == "f" else "iu"):
        raise UsageError(f"{where}.data must be {'numbers' if kind.kind == 'f' else 'whole numbers'} of that shape")
    with np.errstate(over="ignore"):  # what becomes infinite is refused as such
        return found.astype(kind).ravel()


def _get(place: Any, key: str, kind: type, where: str, default: Any = ...) -> Any:
    """A field of an object, of one type; ``...``: it must be there."""
    if not isinstance(place, dict):
        raise UsageError(f"{where.rpartition('.')[0] or 'the body'} must be an object")
    value = place.get(key, default)
    if value is ...:
        raise UsageError(f"{where} is missing")
    if value is not default and type(value) is not kind:
        raise UsageError(f"{where} must be {_KINDS[kind]}, not {value!r:.60}")
    return value


_KINDS = {str: "a string", int: "a whole number", bool: "true or false", list: "a list", dict: "an object"}
