"""torch -> ONNX: the file itself, and what it will be compared with."""

import errno
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from ganzoo.errors import ExitCode, GanzooError, UsageError
from ganzoo.exporting.convert import to_onnx
from ganzoo.exporting.exporter import export
from ganzoo.exporting.inputs import ROWS
from ganzoo.exporting.reference import reference, tolerance
from ganzoo.latents import draw
from ganzoo.runtime.card import METADATA_KEY, GeneratorCard
from ganzoo.runtime.graph import weights_digest
from ganzoo.runtime.session import open_session

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
    found = GeneratorCard.from_json({entry.key: entry.value for entry in model.metadata_props}[METADATA_KEY])
    assert found == replace(card, weights=weights_digest(data))
    assert __file__.rpartition("/")[0].encode() not in data


def test_the_same_generator_gives_the_same_bytes(
    plain: tuple[bytes, Any], make_generator: Make, make_card: Make
) -> None:
    assert to_onnx(make_generator().eval(), make_card()) == plain[0]


@pytest.mark.parametrize(("opset", "ir_version"), [(18, 8), (20, 9), (21, 10)])
def test_no_newer_format_than_the_opset_needs(
    make_generator: Make, make_card: Make, opset: int, ir_version: int
) -> None:
    """The table of ONNX's own releases; runtimes refuse a newer one, whatever is in the file."""
    model = onnx.load_from_string(to_onnx(make_generator(3).eval(), make_card(3), opset))
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == opset
    assert model.ir_version == ir_version
    weights = {tensor.name for tensor in model.graph.initializer}
    assert weights.isdisjoint(value.name for value in model.graph.value_info)


@pytest.mark.filterwarnings("ignore")  # the quantiser's own
@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_onnx_runtimes_quantisers_take_the_file(
    exported: tuple[bytes, dict[str, Any]], tmp_path: Path, form: str
) -> None:
    """With few of 256 steps lost: what they write makes nearly the same images."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static

    data, arrays = exported
    inputs = {name: arrays[name] for name in ("z", "labels") if name in arrays}
    path, dynamic, static = (tmp_path / name for name in ("own.onnx", "dynamic.onnx", "static.onnx"))
    path.write_bytes(data)

    class Samples(CalibrationDataReader):  # type: ignore[misc]
        rest = iter([inputs])

        def get_next(self) -> Any:
            return next(self.rest, None)

    quantize_dynamic(path, dynamic)
    quantize_static(path, static, Samples(), quant_format=QuantFormat[form])
    for written in (dynamic, static):
        session, _ = open_session(written.read_bytes(), device="cpu")
        (images,) = session.run(["images"], inputs)
        assert np.abs(images - arrays["images"]).mean() < 0.05
        assert len(written.read_bytes()) < len(data) + 4096


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
    rows = max(ROWS, classes)
    assert arrays["z"].shape == (rows, 4)
    assert arrays["z"][:3].tolist() == [[0.0] * 4, [4.0] * 4, [-4.0] * 4]
    np.testing.assert_array_equal(arrays["z"][3:], draw(0, 3, rows - 3, 4)[0])
    assert set(arrays["labels"].tolist()) == set(range(classes))
    with torch.no_grad():
        wanted = generator(*(torch.from_numpy(arrays[name]) for name in ("z", "labels")))
    np.testing.assert_array_equal(arrays["images"], wanted.numpy())
    assert "labels" not in reference(make_generator(), make_card())


class Detouring(nn.Module):
    latent_dim = 4

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return torch.from_numpy(np.tanh(z.numpy()))


def test_what_torch_cannot_convert_is_said_in_one_line(make_card: Make, capfd: pytest.CaptureFixture[str]) -> None:
    """With the line of the plugin that it happened in, and without torch's advice and colours."""
    with pytest.raises(GanzooError) as caught:
        to_onnx(Detouring(), make_card())
    assert str(caught.value).startswith("torch cannot convert the generator to ONNX: RuntimeError: .numpy()")
    assert " (export/test_convert.py:" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert str(caught.value.hint).startswith("its forward must be operations of torch on tensors of any batch; ")
    assert caught.value.exit_code == ExitCode.FAILURE
    assert capfd.readouterr() == ("", "")


class Failing(nn.Module):
    """Fails while it is traced for a reason that is not its own."""

    latent_dim = 4

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        raise self.error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (OSError(errno.EROFS, "Read-only file system"), "OSError: [Errno 30] Read-only file system"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_what_the_machine_lacks_is_not_the_networks_fault(make_card: Make, error: Exception, told: str) -> None:
    with pytest.raises(GanzooError) as caught:
        to_onnx(Failing(error), make_card())
    assert str(caught.value) == f"torch could not convert the generator to ONNX here: {told}"
    assert caught.value.hint is None


def test_a_machine_without_a_temporary_directory(make_card: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(GanzooError, match="without a temporary directory") as caught:
        to_onnx(Detouring(), make_card())
    assert str(caught.value.hint).startswith("name one that can: TMPDIR=DIR")


class Steep(nn.Module):
    """Sums that all but cancel, and are scaled up: torch's own rounding is more than 1e-5."""

    latent_dim = 64

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(64, 512)
        self.last = nn.Linear(512, 64)

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return (40 * self.last(torch.relu(self.first(z)))).unflatten(1, (1, 8, 8)).tanh()  # type: ignore[no-any-return]


def test_what_torch_itself_rounds_is_allowed_and_no_more() -> None:
    torch.manual_seed(0)
    generator, card = Steep().eval(), GeneratorCard(name="g", latent_dim=64, channels=1, height=8, width=8)
    arrays = reference(generator, card)
    allowed = tolerance(generator, card, arrays)
    assert 1e-5 < allowed < 1e-3
    _, report = export(generator, card)
    assert f" of {allowed:.2g}, by torch's own rounding, at batches" in report["parity"]
    with torch.no_grad():
        generator.last.bias[0] += 1e-4  # what such a sum cannot explain
    worse = generator(torch.from_numpy(arrays["z"]), None).detach().numpy()
    assert np.abs(worse - arrays["images"]).max() > allowed


def test_a_shallow_generator_has_the_limit_of_all() -> None:
    generator = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))
    card = GeneratorCard(name="g", latent_dim=4, channels=1, height=8, width=8)

    class Plain(nn.Module):
        latent_dim = 4

        def __init__(self) -> None:
            super().__init__()
            self.layers = generator

        def forward(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
            return self.layers(z)  # type: ignore[no-any-return]

    class Insisting(Plain):
        def forward(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
            return self.layers(z.float())  # type: ignore[no-any-return]

    for network in (Plain(), Insisting()):
        assert tolerance(network, card, reference(network, card)) == 1e-5
