"""Writes an ONNX model as a file; needs no torch."""

import json
from collections.abc import Mapping
from dataclasses import replace

from onnx import ModelProto
from onnx.helper import find_min_ir_version_for

from ganzoo.runtime.card import METADATA_KEY, GeneratorCard
from ganzoo.runtime.graph import weights_digest

RECORD_KEY = "ganzoo.export"
"""What stands before the record of a file's export in its metadata."""


def with_card(proto: ModelProto, card: GeneratorCard) -> bytes:
    """The file of a generator, with its card in the metadata; the card gets the check sum of the weights."""
    digest = weights_digest(finish(proto, {}))
    return finish(proto, {METADATA_KEY: replace(card, weights=digest).to_json()})


def finish(proto: ModelProto, metadata: Mapping[str, str]) -> bytes:
    """The file: with ``metadata``, for as many readers as can be, and with nothing of this machine."""
    for key, value in metadata.items():
        proto.metadata_props.add(key=key, value=value)
    _forget_sources(proto)
    _widen_readership(proto)
    return bytes(proto.SerializeToString(deterministic=True))


def _forget_sources(proto: ModelProto) -> None:
    """Remove what the exporter notes on each node: the file and line that it comes from, with this machine's paths."""
    graph = proto.graph
    proto.doc_string = ""
    for part in (graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]


def _widen_readership(proto: ModelProto) -> None:
    """Ask no more of a reader than the operators do, and say nothing twice.

    torch writes its newest IR version whatever the opset, which older runtimes refuse; and it gives weights a shape
    among the inner values, too, which contradicts a tool that transposes a weight, as ONNX Runtime's quantiser does.
    """
    proto.ir_version = find_min_ir_version_for(proto.opset_import, ignore_unknown=True)
    weights = {tensor.name for tensor in proto.graph.initializer}
    inner = [value for value in proto.graph.value_info if value.name not in weights]
    del proto.graph.value_info[:]
    proto.graph.value_info.extend(inner)


def with_record(data: bytes, record: Mapping[str, object]) -> bytes:
    """The same file with a record of its export in the metadata, under ``RECORD_KEY``."""
    proto = ModelProto.FromString(data)
    return finish(proto, {RECORD_KEY: json.dumps(record, sort_keys=True)})
