"""A model in a repository of NVIDIA's Triton Inference Server: ``NAME/VERSION/model.onnx`` and ``NAME/config.pbtxt``.

The configuration is Triton's ``ModelConfig`` in protobuf's text format (model_config.proto of triton-inference-server).
"""

import json
from collections.abc import Iterable
from pathlib import Path

from ganzoo.exporting.record import as_file
from ganzoo.exporting.versions import export_version
from ganzoo.files import check_absent, write_folder
from ganzoo.runtime.card import ATTACHMENT, GeneratorCard
from ganzoo.runtime.generator import BATCH, ImageGenerator
from ganzoo_registry import Registry, Version

MAX_QUEUE = 256
"""Most requests that wait for an instance; Triton refuses more, which costs less than answers that come too late."""

_CONFIG = """\
name: {name}
backend: "onnxruntime"
max_batch_size: {batch}
{ports}
# On a GPU where there is one. On a CPU an instance has one thread: set count to the number of cores.
instance_group [ {{ count: 1 kind: KIND_AUTO }} ]
parameters {{ key: "intra_op_thread_count" value {{ string_value: "1" }} }}
parameters {{ key: "inter_op_thread_count" value {{ string_value: "1" }} }}
# Whatever waits when an instance is free becomes a batch; nothing waits for company.
dynamic_batching {{
  max_queue_delay_microseconds: 0
  default_queue_policy {{ max_queue_size: {queue} }}
}}
{warmups}
"""

_WARMUP = """\
model_warmup {{
  name: "{batch}"
  batch_size: {batch}
{inputs}
}}"""

_Port = tuple[str, str, tuple[int, ...]]
"""Name, type, and dimensions without the batch."""


def write_triton(store: Registry, version: Version, repository: Path) -> Path:
    """Write a version's folder; see ``ganzoo.api.export_triton``."""
    place = repository / version.name
    check_absent(place, "--triton")
    export_version(store, version)
    data = store.read(version, ATTACHMENT)
    card = ImageGenerator.from_bytes(data, device="cpu").card
    version_files = {f"{version.number}/model.onnx": data, f"{version.number}/export.json": as_file(data)}
    write_folder(place, {**version_files, "config.pbtxt": config(card).encode()})
    return place


def config(card: GeneratorCard) -> str:
    """The ``config.pbtxt`` of a generator."""
    inputs: list[_Port] = [("z", "TYPE_FP32", (card.latent_dim,))]
    inputs += [("labels", "TYPE_INT64", (1,))] if card.class_names else []
    inputs += [(name, "TYPE_FP32", (1,)) for name in card.controls]
    images: _Port = ("images", "TYPE_FP32", (card.channels, card.height, card.width))
    ports = [_port("input", each) for each in inputs] + [_port("output", images)]
    warmups = [_WARMUP.format(batch=batch, inputs=_zeros(inputs)) for batch in (1, BATCH)]
    return _CONFIG.format(
        name=json.dumps(card.name), batch=BATCH, ports="\n".join(ports), queue=MAX_QUEUE, warmups="\n".join(warmups)
    )


def _port(kind: str, port: _Port) -> str:
    name, data_type, dims = port
    # An input of Triton has a dimension besides the batch; the graph's labels have none.
    reshape = " reshape { shape: [ ] }" if name == "labels" else ""
    return f'{kind} {{ name: "{name}" data_type: {data_type} dims: [ {", ".join(map(str, dims))} ]{reshape} }}'


def _zeros(inputs: Iterable[_Port]) -> str:
    return "\n".join(
        f'  inputs {{ key: "{name}" value {{ data_type: {data_type} dims: [ {dims[0]} ] zero_data: true }} }}'
        for name, data_type, dims in inputs
    )
