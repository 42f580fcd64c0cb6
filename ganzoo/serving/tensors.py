"""Tensors of the Open Inference Protocol: in JSON, or in binary behind it."""

import json
import math
import re
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
from ganzoo.serving.fields import Fields
from ganzoo.serving.jobs import Job
from ganzoo.serving.query import MAX_IMAGES

HEAD_LENGTH = "Inference-Header-Content-Length"
"""The header that says how many bytes of a body are JSON; what follows are the tensors, in binary."""

PIECE = 4096
"""Numbers that are written as JSON at once."""

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
        fields = Fields.parse(body[:length])
        inputs, output = signature(card)
        rows = _inputs(fields.each("inputs"), body[length:], inputs)
        for name, control in card.controls.items():
            rows.setdefault(name, np.full((len(rows["z"]), 1), control.default, np.float32))
        binary = fields.inner("parameters").get("binary_data_output", bool, False)
        for wanted in fields.each("outputs", []):
            if wanted.get("name", str) != output.name:
                raise UsageError(f"{wanted.path('name')} is no output", hint=f"the output is called {output.name!r}")
            binary = wanted.inner("parameters").get("binary_data", bool, binary)
        identity = fields.get("id", str, "")
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
            # In pieces: while it writes one, the encoder lets no other thread run, nobody else would be answered.
            flat = images.ravel()
            pieces = [json.dumps(flat[at : at + PIECE].tolist())[1:-1] for at in range(0, len(flat), PIECE)]
            before, after = json.dumps({**head, "outputs": [{**described, "data": [0]}]}).rsplit("0", 1)
            return "".join([before, ", ".join(pieces), after]).encode()

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
    if not (re.fullmatch("[0-9]{1,9}", text) and int(text) <= size):
        raise MalformedError(f"{HEAD_LENGTH} must be at most the body's {size} bytes, not {text!r:.40}")
    return int(text)


def _inputs(given: list[Fields], binary: bytes, known: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """The arrays of all inputs, all with as many rows."""
    hint = f"the inputs are {', '.join(known)}"
    found: dict[str, NDArray[Any]] = {}
    for fields in given:
        name = fields.get("name", str)
        if name not in known or name in found:
            problem = "is given twice" if name in found else "is no input"
            raise UsageError(f"{fields.path('name')} {problem}: {name!r:.60}", hint=hint)
        tensor, size = known[name], max(fields.inner("parameters").get("binary_data_size", int, -1), -1)
        shape = _shape(fields, tensor)
        values = (
            _from_json(fields, tensor) if size < 0 else _from_bytes(fields, tensor, binary[:size], math.prod(shape))
        )
        binary = binary[max(size, 0) :]
        found[name] = _within(fields, tensor, values, shape)
    missing = [name for name in known if name not in found and name in ("z", "labels")]
    if missing:
        raise UsageError(f"inputs lacks {missing[0]!r}", hint=hint)
    if binary:
        raise UsageError(
            f"{len(binary)} bytes behind the inputs belong to none", hint="say how many each has: binary_data_size"
        )
    counts = {name: len(rows) for name, rows in found.items()}
    if len(set(counts.values())) > 1:
        raise UsageError(f"the inputs differ in their first dimension: {counts}", hint="one row an image")
    return found


def _shape(fields: Fields, tensor: Tensor) -> tuple[int, ...]:
    """An input's shape, which must be right, as its type."""
    datatype = fields.get("datatype", str)
    if datatype != tensor.datatype:
        raise UsageError(
            f"{fields.path('datatype')} of {tensor.name!r} must be {tensor.datatype}, not {datatype!r:.60}"
        )
    shape = fields.get("shape", list)
    count = shape[0] if shape and type(shape[0]) is int else 0
    if shape[1:] != list(tensor.shape) or not 1 <= count <= MAX_IMAGES:
        wanted = ", ".join(map(str, ("N", *tensor.shape)))
        problem = f"{fields.path('shape')} of {tensor.name!r} must be [{wanted}], not {shape!r:.60}"
        raise UsageError(problem, hint=f"N is 1 to {MAX_IMAGES}")
    return (count, *tensor.shape)


def _from_json(fields: Fields, tensor: Tensor) -> NDArray[Any]:
    """Values in a list, which may be nested; they come flat."""
    kind = _TYPES[tensor.datatype]
    numbers, allowed = ("numbers", {int, float}) if kind.kind == "f" else ("whole numbers", {int})
    flat = _flat(fields.get("data", list))
    # Before NumPy sees it, which makes of one long text among short ones an array with room for as many long ones.
    if not set(map(type, flat)) <= allowed:
        raise UsageError(f"{fields.path('data')} must be {numbers} of that shape")
    try:
        found = np.array(flat, np.float64 if kind.kind == "f" else np.int64)
    except OverflowError:
        raise UsageError(f"{fields.path('data')} must be {numbers} of that shape") from None
    with np.errstate(over="ignore"):  # what becomes infinite is refused as such
        return found.astype(kind)


def _flat(values: list[Any]) -> list[Any]:
    """The innermost values of lists in lists; those as they are where lists differ in length."""
    while values and all(type(each) is list for each in values) and len({len(each) for each in values}) == 1:
        values = [value for row in values for value in row]
    return values


def _from_bytes(fields: Fields, tensor: Tensor, data: bytes, count: int) -> NDArray[Any]:
    """So many values behind the JSON."""
    kind = _TYPES[tensor.datatype]
    if len(data) != count * kind.itemsize:
        raise UsageError(f"{fields.where} has {len(data)} bytes instead of {count * kind.itemsize}")
    return np.frombuffer(data, kind)


def _within(fields: Fields, tensor: Tensor, values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The array, all of whose values must be finite, and within the input's range."""
    if values.size != math.prod(shape):
        raise UsageError(f"{fields.path('data')} has {values.size} values instead of {math.prod(shape)}")
    fine = np.isfinite(values) & (values >= tensor.low) & (values <= tensor.high)
    if not fine.all():
        bounds = "finite numbers" if math.isinf(tensor.high) else f"from {tensor.low:g} to {tensor.high:g}"
        wrong = values[int(fine.argmin())]
        raise UsageError(f"{fields.path('data')} of {tensor.name!r} must be {bounds}, not {wrong}")
    return values.reshape(shape).astype(values.dtype.newbyteorder("="))
