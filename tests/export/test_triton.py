"""The model repository, held against Triton's schema of it."""

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from ganzoo import api
from ganzoo.cli import main
from ganzoo.controls import Control
from ganzoo.errors import UsageError
from ganzoo.exporting.triton import config
from ganzoo.runtime.card import GeneratorCard
from ganzoo_registry import Registry

ENUMS = {
    "DataType": {"TYPE_INVALID": 0, "TYPE_INT64": 9, "TYPE_FP32": 11},
    "Kind": {"KIND_AUTO": 0, "KIND_GPU": 1, "KIND_CPU": 2},
}

MESSAGES = {
    "ModelConfig": {
        "name": (1, "string"),
        "max_batch_size": (4, "int32"),
        "input": (5, "*ModelInput"),
        "output": (6, "*ModelOutput"),
        "instance_group": (7, "*ModelInstanceGroup"),
        "dynamic_batching": (11, "ModelDynamicBatching"),
        "parameters": (14, "*Parameter"),
        "model_warmup": (16, "*ModelWarmup"),
        "backend": (17, "string"),
    },
    "ModelInput": {
        "name": (1, "string"),
        "data_type": (2, "DataType"),
        "dims": (4, "*int64"),
        "reshape": (5, "ModelTensorReshape"),
    },
    "ModelOutput": {
        "name": (1, "string"),
        "data_type": (2, "DataType"),
        "dims": (3, "*int64"),
        "reshape": (5, "ModelTensorReshape"),
    },
    "ModelTensorReshape": {"shape": (1, "*int64")},
    "ModelInstanceGroup": {"count": (2, "int32"), "kind": (4, "Kind")},
    "ModelDynamicBatching": {
        "max_queue_delay_microseconds": (2, "uint64"),
        "default_queue_policy": (6, "ModelQueuePolicy"),
    },
    "ModelQueuePolicy": {"max_queue_size": (4, "uint32")},
    "Parameter": {"key": (1, "string"), "value": (2, "ModelParameter")},
    "ModelParameter": {"string_value": (1, "string")},
    "ModelWarmup": {"name": (1, "string"), "batch_size": (2, "uint32"), "inputs": (3, "*WarmupInput")},
    "WarmupInput": {"key": (1, "string"), "value": (2, "Input")},
    "Input": {"data_type": (1, "DataType"), "dims": (2, "*int64"), "zero_data": (3, "bool")},
}
"""What we write of model_config.proto: message -> field -> its number and type, ``*`` for a repeated one.

The package that has the whole of it, tritonclient, wants older versions of others than the tests run with.
"""


@pytest.fixture(scope="module")
def schema() -> Any:
    """The message ``ModelConfig``, whose text format knows these fields and no others."""
    file = descriptor_pb2.FileDescriptorProto(name="model_config.proto", package="inference", syntax="proto3")
    for name, values in ENUMS.items():
        made = file.enum_type.add(name=name)
        for value, number in values.items():
            made.value.add(name=value, number=number)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            repeated, kind = kind.startswith("*"), kind.removeprefix("*")
            added = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if kind in MESSAGES or kind in ENUMS:
                added.type = added.TYPE_MESSAGE if kind in MESSAGES else added.TYPE_ENUM
                added.type_name = f".inference.{kind}"
            else:
                added.type = getattr(added, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("inference.ModelConfig"))


def parsed(schema: Any, text: str) -> Any:
    return text_format.Parse(text, schema())


def test_a_model_that_is_there_is_refused_before_the_work(
    store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ganzoo.api.export", lambda *_, **__: pytest.fail("exported"))
    (tmp_path / "conditional").mkdir()
    command = ["export", "conditional:1", "--force", "--triton", str(tmp_path), "--registry", str(store.root)]
    assert main(command) == 2
    assert capsys.readouterr().err.startswith(f"Error: {tmp_path / 'conditional'} is there already\n")


def test_the_repository_is_what_triton_asks_for(
    schema: Any, store: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what the configuration says of the graph is so; a second model goes beside the first."""
    (tmp_path / "models" / "other").mkdir(parents=True)
    assert main(["export", "conditional", "--triton", str(tmp_path / "models"), "--registry", str(store.root)]) == 0
    place = tmp_path / "models" / "conditional"
    assert capsys.readouterr().out == f"{place}\n"
    assert sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()) == [
        "1/export.json",
        "1/model.onnx",
        "config.pbtxt",
    ]
    data = (place / "1" / "model.onnx").read_bytes()
    assert json.loads((place / "1" / "export.json").read_text("utf-8"))["bytes"] == len(data)
    assert data == store.read(store.resolve("conditional"), "onnx")
    told = parsed(schema, (place / "config.pbtxt").read_text("utf-8"))
    graph = onnx.load_from_string(data).graph
    kinds = {
        ENUMS["DataType"]["TYPE_FP32"]: onnx.TensorProto.FLOAT,
        ENUMS["DataType"]["TYPE_INT64"]: onnx.TensorProto.INT64,
    }
    for ours, theirs in ((told.input, graph.input), (told.output, graph.output)):
        shapes = {each.name: (each.type.tensor_type.elem_type, dimensions(each)) for each in theirs}
        assert {
            each.name: (kinds[each.data_type], list(each.reshape.shape if each.HasField("reshape") else each.dims))
            for each in ours
        } == shapes
    assert (told.name, told.backend, told.max_batch_size) == ("conditional", "onnxruntime", 32)
    assert told.instance_group[0].kind == ENUMS["Kind"]["KIND_AUTO"]
    assert told.HasField("dynamic_batching")
    assert told.dynamic_batching.max_queue_delay_microseconds == 0
    assert told.dynamic_batching.default_queue_policy.max_queue_size == 256
    assert {each.key: each.value.string_value for each in told.parameters}["intra_op_thread_count"] == "1"
    assert [each.batch_size for each in told.model_warmup] == [1, 32]
    warmed = [{each.key: list(each.value.dims) for each in warmup.inputs} for warmup in told.model_warmup]
    assert warmed == [{"z": [6], "labels": [1]}] * 2
    assert all(each.value.zero_data for warmup in told.model_warmup for each in warmup.inputs)


def dimensions(port: Any) -> list[int]:
    """A graph's port without its batch."""
    return [each.dim_value for each in port.type.tensor_type.shape.dim[1:]]


def test_controls_are_inputs_and_without_classes_there_are_no_labels(schema: Any) -> None:
    controls = {"truncation": Control(default=1.0)}
    card = GeneratorCard(name='a "b"', latent_dim=4, channels=3, height=8, width=8, controls=controls)
    told = parsed(schema, config(card))
    assert told.name == 'a "b"'
    assert [(each.name, list(each.dims)) for each in told.input] == [("z", [4]), ("truncation", [1])]
    assert not told.input[1].HasField("reshape")
    assert [each.key for each in told.model_warmup[0].inputs] == ["z", "truncation"]


def test_a_model_that_is_there_is_left_alone(store: Registry, tmp_path: Path) -> None:
    (tmp_path / "conditional").mkdir()
    with pytest.raises(UsageError, match="conditional is there already"):
        api.export_triton("conditional", tmp_path, registry=store.root)
    assert list((tmp_path / "conditional").iterdir()) == []
