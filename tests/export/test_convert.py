"""torch -> ONNX: the file itself, and what it will be compared with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from ganzoo.errors import ExitCode, GanzooError, UsageError
from ganzoo.exporting.convert import REFERENCE_ROWS, reference, to_onnx
from ganzoo.latents import draw
from ganzoo.runtime.card import METADATA_KEY, GeneratorCard

Make = Callable[..., Any]


def test_the_graph_takes_z_and_labels_and_any_batch(exported: tuple[bytes, dict[str, Any]]) -> None:
    data, arrays = exported
    graph = onnx.load_from_string(data).graph
    inputs = {value.name: value.type.tensor_type for value in graph.input}
    assert list(inputs) == [name for name in ("z", "labels") if name in arrays]
    assert [value.name for value in graph.output] == ["images"]
    for value in [*inputs.values(), graph.output[0].type.tensor_type]:
        assert value.shape.dim[0].dim_param == "batch"
    assert inputs["z"].elem_type == onnx.TensorProto.FLOAT
    assert "labels" not in inputs or inputs["labels"].elem_type == onnx.TensorProto.INT64


def test_the_card_is_in_the_file_and_nothing_of_this_machine(make_generator: Make, make_card: Make) -> None:
    card = make_card(3, version=7, digest="sha256:" + "ab" * 32)
    data = to_onnx(make_generator(3).eval(), card)
    model = onnx.load_from_string(data)
    assert GeneratorCard.from_json({entry.key: entry.value for entry in model.metadata_props}[METADATA_KEY]) == card
    assert __file__.rpartition("/")[0].encode() not in data


def test_the_same_generator_gives_the_same_bytes(
    plain: tuple[bytes, Any], make_generator: Make, make_card: Make
) -> None:
    assert to_onnx(make_generator().eval(), make_card()) == plain[0]


@pytest.mark.parametrize("opset", [18, 20])
def test_opset(make_generator: Make, make_card: Make, opset: int) -> None:
    model = onnx.load_from_string(to_onnx(make_generator().eval(), make_card(), opset))
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == opset


@pytest.mark.parametrize("opset", [1, 99])
def test_an_opset_that_torch_does_not_make(make_generator: Make, make_card: Make, opset: int) -> None:
    with pytest.raises(UsageError, match=f"torch makes no ONNX of opset {opset}"):
        to_onnx(make_generator().eval(), make_card(), opset)


@pytest.mark.parametrize("classes", [1, 3, 100])
def test_the_reference_holds_corner_latents_and_every_label(
    make_generator: Make, make_card: Make, classes: int
) -> None:
    card = make_card(class_names=tuple(map(str, range(classes))))
    generator = make_generator(classes).eval()
    arrays = reference(generator, card)
    rows = max(REFERENCE_ROWS, classes)
    assert arrays["z"].shape == (rows, 4)
    assert arrays["z"][:3].tolist() == [[0.0] * 4, [4.0] * 4, [-4.0] * 4]
    np.testing.assert_array_equal(arrays["z"][3:], draw(0, 3, rows - 3, 4)[0])
    assert set(arrays["labels"].tolist()) == set(range(classes))
    with torch.no_grad():
        wanted = generator(*(torch.from_numpy(arrays[name]) for name in ("z", "labels")))
    np.testing.assert_array_equal(arrays["images"], wanted.numpy())
    assert "labels" not in reference(make_generator(), make_card())


class Branching(nn.Module):
    latent_dim = 4

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return z.tanh() if z.sum().item() > 0 else z.sin()


def test_what_torch_cannot_convert_is_said_in_one_line(make_card: Make) -> None:
    with pytest.raises(GanzooError) as caught:
        to_onnx(Branching(), make_card())
    assert str(caught.value).startswith("torch cannot convert the generator to ONNX: ")
    assert "\n" not in str(caught.value)
    assert caught.value.hint == "its forward must be traceable for any batch; GANZOO_DEBUG=1 shows where it is not"
    assert caught.value.exit_code == ExitCode.FAILURE
