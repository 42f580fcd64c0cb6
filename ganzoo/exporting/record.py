"""The record of an export: what was made, by what, and what the gates found."""

import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import onnx
from onnx import ValueInfoProto

from ganzoo.exporting.writing import RECORD_KEY, with_record
from ganzoo.files import parse_object
from ganzoo.runtime.card import GeneratorCard

_PACKAGES = ("ganzoo", "torch", "onnx", "onnxruntime", "onnxruntime-gpu")


def recorded(
    data: bytes, card: GeneratorCard, gates: Mapping[str, str], origin: Mapping[str, Any] | None = None
) -> tuple[bytes, dict[str, Any]]:
    """The file with its record in the metadata, and the record, which then has the file's own digest and size, too.

    Args:
        gates: gate -> what it found.
        origin: the record of the file that this one was made of.

    Returns:
        The ONNX file, and what ``record_of`` says of it.
    """
    record = _record(data, card, gates)
    if origin:
        record["made_of"] = origin
    file = with_record(data, record)
    return file, record_of(file)


def record_of(data: bytes) -> dict[str, Any]:
    """The record in a file's metadata, with its digest and size, which it cannot hold itself."""
    properties = onnx.load_from_string(data).metadata_props
    text = next((each.value for each in properties if each.key == RECORD_KEY), "{}")
    return {**parse_object(text), "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def as_file(data: bytes) -> bytes:
    """The same as the content of an ``export.json``."""
    return (json.dumps(record_of(data), indent=1, ensure_ascii=False) + "\n").encode()


def _record(data: bytes, card: GeneratorCard, gates: Mapping[str, str]) -> dict[str, Any]:
    model = onnx.load_from_string(data)
    return {
        "name": card.name,
        "version": card.version,
        "digest": card.digest,
        "opset": next(each.version for each in model.opset_import if not each.domain),
        "ir_version": model.ir_version,
        "inputs": {value.name: _port(value) for value in model.graph.input},
        "outputs": {value.name: _port(value) for value in model.graph.output},
        "range": [0, 255] if card.uint8 else [-1, 1],
        "controls": {name: [each.low, each.high] for name, each in card.controls.items()},
        "weights": card.weights,
        "gates": dict(gates),
        "packages": _installed(),
    }


def _port(value: ValueInfoProto) -> dict[str, Any]:
    """Type and shape of an input or output."""
    kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    shape = [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]
    return {"dtype": kind.name, "shape": shape}


def _installed() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
