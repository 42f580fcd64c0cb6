"""Each gate with a graph that it must refuse, and by how much; and the process that they run in."""

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from ganzoo.errors import ExitCode, GanzooError, IntegrityError
from ganzoo.exporting import gates
from ganzoo.exporting.convert import Graph, to_onnx
from ganzoo.exporting.exporter import export
from ganzoo.exporting.gates import check
from ganzoo.exporting.proof import HINTS
from ganzoo.exporting.reference import reference
from ganzoo.runtime.card import GeneratorCard
from ganzoo.runtime.graph import weights_digest
from ganzoo.runtime.vetting import Refused, vet_generator

Make = Callable[..., Any]
Change = Callable[[onnx.ModelProto], None]
HINT = "the weights are as they were; to try again: ganzoo export tiny"


def changed(data: bytes, change: Change, *, signed: bool = True) -> bytes:
    """The file after ``change``; its card has the check sum of its weights as they are now, if ``signed``."""
    model = onnx.load_from_string(data)
    change(model)
    (entry,) = model.metadata_props
    if signed:
        card = GeneratorCard.from_json(entry.value)
        entry.value = replace(card, weights=weights_digest(model.SerializeToString())).to_json()
    return bytes(model.SerializeToString())


def refusal(data: bytes, arrays: dict[str, Any]) -> str:
    with pytest.raises(Refused) as caught:
        check(data, arrays)
    return str(caught.value)


def weight(model: onnx.ModelProto) -> onnx.TensorProto:
    """The largest one."""
    largest: onnx.TensorProto = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    return largest


def set_weight(model: onnx.ModelProto, edit: Callable[[Any], None]) -> None:
    values = numpy_helper.to_array(weight(model)).copy()
    edit(values)
    weight(model).CopyFrom(numpy_helper.from_array(values, weight(model).name))


def before_output(model: onnx.ModelProto, *nodes: onnx.NodeProto) -> None:
    """Put ``nodes``, which go from ``raw`` to ``images``, at the end of the graph."""
    for node in model.graph.node:
        node.output[:] = ["raw" if name == "images" else name for name in node.output]
    model.graph.node.extend(nodes)


def constant(name: str, value: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(value)))


def test_a_true_copy_passes_every_gate(exported: tuple[bytes, dict[str, Any]]) -> None:
    findings = check(*exported)
    assert list(findings) == ["structure", "randomness", "signature", "parity", "independence"] == list(HINTS)[:5]
    assert findings["parity"].endswith("at batches 1, 2, 3, 7, 33, 64")


def test_every_label_is_compared(make_generator: Make, make_card: Make) -> None:
    """A change to the last of 100 classes alone is found."""
    names = tuple(map(str, range(100)))
    generator = make_generator(100).eval()
    arrays = dict(reference(generator, make_card(class_names=names)))
    data = to_onnx(generator, make_card(class_names=names))
    check(data, arrays)

    def spoil(model: onnx.ModelProto) -> None:
        (table,) = (tensor for tensor in model.graph.initializer if list(tensor.dims) == [100, 4])
        values = numpy_helper.to_array(table).copy()
        values[99] += 0.01
        table.CopyFrom(numpy_helper.from_array(values, table.name))

    assert refusal(changed(data, spoil), arrays).startswith("parity: differs from torch by up to 0.0")


# structure


def nan_weight(model: onnx.ModelProto) -> None:
    set_weight(model, lambda values: values.flat.__setitem__(3, np.nan))


def external_weight(model: onnx.ModelProto) -> None:
    tensor = weight(model)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    tensor.ClearField("raw_data")


def external_constant(model: onnx.ModelProto) -> None:
    node = constant("zero", np.zeros(1, np.float32))
    node.attribute[0].t.data_location = onnx.TensorProto.EXTERNAL
    before_output(model, node, helper.make_node("Add", ["raw", "zero"], ["images"]))


def foreign_domain(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("acme.ops", 1))
    before_output(model, helper.make_node("Wobble", ["raw"], ["images"], domain="acme.ops"))


def loose_end(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "nowhere"


def newest_ir(model: onnx.ModelProto) -> None:
    model.ir_version = onnx.IR_VERSION


def weight_among_inner_values(model: onnx.ModelProto) -> None:
    tensor = weight(model)
    model.graph.value_info.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (newest_ir, f"structure: it is of IR version {onnx.IR_VERSION}, which older runtimes refuse, and needs only 9"),
        (weight_among_inner_values, "structure: weight "),
        (nan_weight, "structure: weight "),
        (external_weight, "structure: keeps weights outside the file"),
        (external_constant, "structure: keeps weights outside the file"),
        (foreign_domain, "structure: has operators of foreign domains: 'acme.ops'"),
        (loose_end, "structure: onnx.checker: "),
    ],
)
def test_structure(plain: tuple[bytes, dict[str, Any]], change: Change, message: str) -> None:
    found = refusal(changed(plain[0], change), plain[1])
    assert found.startswith(message)
    assert "\n" not in found


def test_a_card_with_the_check_sum_of_other_weights(plain: tuple[bytes, dict[str, Any]]) -> None:
    """One bit of one weight, and a card that says nothing of its weights."""

    def flip(model: onnx.ModelProto) -> None:
        raw = bytearray(weight(model).raw_data)
        raw[0] ^= 1
        weight(model).raw_data = bytes(raw)

    def forget(model: onnx.ModelProto) -> None:
        card = GeneratorCard.from_json(model.metadata_props[0].value)
        model.metadata_props[0].value = replace(card, weights=None).to_json()

    check(*plain)
    for change in (flip, forget):
        found = refusal(changed(plain[0], change, signed=False), plain[1])
        assert found == "structure: its card has the check sum of other weights"


# randomness


def noise_in_the_open(model: onnx.ModelProto) -> None:
    draw = helper.make_node("RandomNormalLike", ["raw"], ["noise"])
    before_output(model, draw, helper.make_node("Add", ["raw", "noise"], ["images"]))


def noise_in_a_branch(model: onnx.ModelProto) -> None:
    output = helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, None)
    still = helper.make_graph([helper.make_node("Identity", ["raw"], ["out"])], "still", [], [output])
    noisy = helper.make_graph([helper.make_node("RandomUniformLike", ["raw"], ["out"])], "noisy", [], [output])
    branch = helper.make_node("If", ["never"], ["images"], then_branch=noisy, else_branch=still)
    before_output(model, constant("never", False), branch)


def noise_in_a_function(model: onnx.ModelProto) -> None:
    opset = [helper.make_opsetid("", 20)]
    body = [helper.make_node("Bernoulli", ["x"], ["y"])]
    model.functions.append(helper.make_function("com.microsoft", "Flip", ["x"], ["y"], body, opset))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    before_output(model, helper.make_node("Flip", ["raw"], ["images"], domain="com.microsoft"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (noise_in_the_open, "randomness: draws random numbers itself: RandomNormalLike"),
        (noise_in_a_branch, "structure: has loops or branches: 'If'"),
        (noise_in_a_function, "structure: defines functions of its own"),
    ],
)
def test_randomness(plain: tuple[bytes, dict[str, Any]], change: Change, message: str) -> None:
    assert refusal(changed(plain[0], change), plain[1]) == message


@pytest.mark.parametrize("change", [noise_in_the_open, noise_in_a_branch, noise_in_a_function, foreign_domain])
def test_what_load_would_refuse_is_not_exported(plain: tuple[bytes, dict[str, Any]], change: Change) -> None:
    """And in the same words: what ganzoo writes, ganzoo takes from anywhere."""
    data = changed(plain[0], change)
    with pytest.raises(IntegrityError) as caught:
        vet_generator(data, "g.onnx")
    words = refusal(data, plain[1]).partition(": ")[2]
    assert str(caught.value) == f"g.onnx must not be run: it {words}"


# signature


def fixed_batch(model: onnx.ModelProto) -> None:
    dim = model.graph.input[0].type.tensor_type.shape.dim[0]
    dim.Clear()
    dim.dim_value = 2


def other_output(model: onnx.ModelProto) -> None:
    before_output(model)
    model.graph.output[0].name = "raw"


def other_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("temperature", onnx.TensorProto.FLOAT, ["batch"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (fixed_batch, "signature: z has shape [2, 4], not ['batch', 4]"),
        (other_output, "signature: inputs are ['z'], not ['z'], or the output is not 'images'"),
        (other_input, "signature: inputs are ['z', 'temperature'], not ['z'], or the output is not 'images'"),
    ],
)
def test_signature(plain: tuple[bytes, dict[str, Any]], change: Change, message: str) -> None:
    model = onnx.load_from_string(plain[0])
    model.graph.ClearField("value_info")
    assert refusal(changed(model.SerializeToString(), change), plain[1]) == message


def test_the_types_of_inputs(plain: tuple[bytes, dict[str, Any]]) -> None:
    model = onnx.load_from_string(plain[0])
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.DOUBLE
    with pytest.raises(Refused, match=r"(?m)^z is of float64, not float32$"):
        gates.check_signature(model.SerializeToString(), plain[1])


# parity and independence


def test_parity_says_by_how_much(plain: tuple[bytes, dict[str, Any]]) -> None:
    """One weight more by 0.001: the image's slope is at most 1 / sqrt(1 + 1e-5), |z| at most 4."""
    data = changed(
        plain[0], lambda model: set_weight(model, lambda values: values.flat.__setitem__(0, values.flat[0] + 1e-3))
    )
    found = refusal(data, plain[1])
    assert found.startswith("parity: differs from torch by up to 0.00")
    assert found.endswith(", allowed is 1e-05")
    assert 1e-4 < float(found.split("up to ")[1].split(",")[0]) <= 4e-3


def test_an_image_that_is_not_finite_is_told_as_such(plain: tuple[bytes, dict[str, Any]]) -> None:
    data = changed(plain[0], lambda model: before_output(model, helper.make_node("Sqrt", ["raw"], ["images"])))
    assert refusal(data, plain[1]) == "parity: makes NaN or infinity where torch makes numbers"


def mean_of_the_batch(model: onnx.ModelProto) -> None:
    """A difference that parity lets pass: 1e-6 of the batch's mean is added to each image."""
    before_output(
        model,
        constant("axes", np.array([0])),
        constant("little", np.float32(1e-6)),
        helper.make_node("ReduceMean", ["raw", "axes"], ["mean"]),
        helper.make_node("Mul", ["mean", "little"], ["shift"]),
        helper.make_node("Add", ["raw", "shift"], ["images"]),
    )


def test_independence(plain: tuple[bytes, dict[str, Any]]) -> None:
    found = refusal(changed(plain[0], mean_of_the_batch), plain[1])
    assert found.startswith("independence: ")


# The whole way, with networks that must not be exported


class Noisy(nn.Module):
    latent_dim = 4

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        images: Tensor = (z + torch.randn_like(z)).tanh().repeat(1, 16).unflatten(1, (1, 8, 8))  # type: ignore[no-untyped-call]
        return images


class Gregarious(nn.Module):
    """BatchNorm without running statistics: an image depends on its batch."""

    latent_dim = 4

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        norm = nn.BatchNorm1d(64, track_running_stats=False)
        self.layers = nn.Sequential(nn.Linear(4, 64), norm, nn.Unflatten(1, (1, 8, 8)))

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        images: Tensor = self.layers(z)
        return images


class Pairs(nn.Module):
    """Reads exactly two rows, whatever it is given."""

    latent_dim = 4

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        images: Tensor = z.reshape(2, 4).tanh().repeat(1, 16).unflatten(1, (1, 8, 8))  # type: ignore[no-untyped-call]
        return images


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Noisy, "the generator makes other images each time in eval mode"),
        (Gregarious, "an image of the generator depends on the others of its batch in eval mode, by up to "),
        (Pairs, "the generator fails on a batch of 64: RuntimeError: shape '[2, 4]' is invalid for input of size 256"),
    ],
)
def test_a_network_that_cannot_be_exported(make_card: Make, network: type[nn.Module], message: str) -> None:
    with pytest.raises(GanzooError) as caught:
        export(network().eval(), make_card())
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == ExitCode.FAILURE


# The process


@pytest.fixture
def refused(plain: tuple[bytes, Any], make_generator: Make, make_card: Make, monkeypatch: pytest.MonkeyPatch) -> Make:
    """The message of an export whose conversion gives the bytes that are passed."""

    def refused(data: bytes = plain[0]) -> str:
        monkeypatch.setattr(Graph, "file", lambda *_: data)
        with pytest.raises(GanzooError) as caught:
            export(make_generator().eval(), make_card())
        assert caught.value.hint == HINT
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return refused


def test_a_model_that_cannot_even_be_parsed(refused: Make) -> None:
    message = refused(b"\xff garbage")
    assert message.startswith("tiny was not exported: the process that checks it failed: ")
    assert "DecodeError" in message


def test_a_checker_that_crashes_has_not_passed(refused: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crash = tmp_path / "python"
    crash.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crash.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(crash))
    failed = f"tiny was not exported: the process that checks it failed: exit code {-signal.SIGSEGV}"
    assert refused() == failed


@pytest.mark.parametrize("said", ['{"passed": {"structure": "fine"}}', "", "fine"])
def test_what_a_failing_process_says_does_not_count(
    refused: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    liar = tmp_path / "python"
    liar.write_text(f"#!/bin/sh\necho '{said}'\nexit 3\n")
    liar.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(liar))
    assert refused() == "tiny was not exported: the process that checks it failed: exit code 3"


def test_a_checker_that_hangs_has_not_passed(refused: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    assert refused() == "tiny was not exported: the gates took over 600 s"


def test_a_module_in_the_working_directory_is_not_taken_for_a_library(
    make_generator: Make, make_card: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    monkeypatch.chdir(tmp_path)
    data, report = export(make_generator(3).eval(), make_card(3))
    assert list(report) == ["structure", "randomness", "signature", "parity", "independence"]
    assert onnx.load_from_string(data).graph.name


def test_the_program_never_imports_torch() -> None:
    code = "import sys, ganzoo.exporting.proof; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert gates.TOLERANCE == 1e-5
