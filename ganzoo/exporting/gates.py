"""The gates that an ONNX file must pass before it exists. Run as a program of its own; never imports torch.

    python -m ganzoo.exporting.gates < PACKED        what ``pack`` made of the file and the reference

prints one JSON object and exits 0 (all passed) or 1 (it names the gate that failed). A process of its own,
because a hostile or odd graph may crash the runtime: then the exit code is not 0, and the file is refused.
"""

import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ganzoo.runtime import vetting
from ganzoo.runtime.card import METADATA_KEY, GeneratorCard
from ganzoo.runtime.graph import weights_digest
from ganzoo.runtime.vetting import Refused

TOLERANCE = 1e-5
"""Largest difference from torch in any pixel, on a scale where black is -1 and white 1."""

BATCHES = (1, 2, 3, 7, 33, 64)

Arrays = dict[str, NDArray[Any]]

_FILE = "onnx"
"""Name of the ONNX file among the arrays of the reference."""


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Weights, and the constants in nodes."""
    yield from graph.initializer
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        yield from [*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors]


def check_structure(data: bytes, model: onnx.ModelProto) -> str:
    """The file passes ONNX's own checker, with strict shapes, has finite weights, and would be taken from anywhere.

    It also asks no more of its readers than its operators do, and gives no weight a second shape; and its card has the
    check sum of these weights, by which a damaged file is known.
    """
    vetting.check_structure(data)
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # the checker's errors come from C++ under several names
        raise Refused(f"onnx.checker: {str(error).splitlines()[0]}") from error
    for tensor in _tensors(model.graph):
        values = onnx.numpy_helper.to_array(tensor)
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            raise Refused(f"weight {tensor.name} is not finite")
    least = onnx.helper.find_min_ir_version_for(model.opset_import, ignore_unknown=True)
    if model.ir_version > least:
        raise Refused(f"it is of IR version {model.ir_version}, which older runtimes refuse, and needs only {least}")
    weights = {tensor.name for tensor in model.graph.initializer}
    if twice := sorted(value.name for value in model.graph.value_info if value.name in weights):
        raise Refused(f"weight {twice[0]} is among the inner values, too")
    card = next((entry.value for entry in model.metadata_props if entry.key == METADATA_KEY), None)
    if GeneratorCard.from_json(card).weights != weights_digest(data):
        raise Refused("its card has the check sum of other weights")
    return f"{len(model.graph.node)} operators, {len(model.graph.initializer)} weights"


def check_randomness(data: bytes) -> str:
    """All randomness comes in through z: the same inputs always give the same images."""
    vetting.check_randomness(data)
    return "no random operator"


def check_signature(model: onnx.ModelProto, reference: Arrays) -> str:
    """Inputs and output have the agreed names and types, and one free dimension: the batch, first."""
    names = [value.name for value in model.graph.input]
    expected = [name for name in ("z", "labels") if name in reference]
    if names != expected or [value.name for value in model.graph.output] != ["images"]:
        raise Refused(f"inputs are {names}, not {expected}, or the output is not 'images'")
    for value in [*model.graph.input, *model.graph.output]:
        dims = value.type.tensor_type.shape.dim
        wanted = ["batch", *reference[value.name].shape[1:]]
        found = [dim.dim_param or dim.dim_value for dim in dims]
        if found != wanted:
            raise Refused(f"{value.name} has shape {found}, not {wanted}")
    return "batch is the one free dimension"


def check_parity(run: Callable[[Arrays], NDArray[Any]], reference: Arrays) -> str:
    """Every pixel equals torch's within ``TOLERANCE``, at every batch size, on corner latents and every label."""
    worst = 0.0
    for batch in BATCHES:
        rows = len(reference["z"]) if batch == max(BATCHES) else batch  # the largest goes over all rows: every label
        for first in range(0, rows, batch):
            part = {name: array[first : first + batch] for name, array in reference.items()}
            difference = np.abs(run(part).astype(np.float64) - part["images"]).max()
            worst = max(worst, float(difference)) if np.isfinite(difference) else float("inf")
    if worst > TOLERANCE:
        raise Refused(f"differs from torch by up to {worst:.3g}, allowed is {TOLERANCE:g}")
    return f"max |difference| {worst:.2g} at batches {', '.join(map(str, BATCHES))}"


def check_independence(run: Callable[[Arrays], NDArray[Any]], reference: Arrays) -> str:
    """An image is the same to the bit whatever else is in its batch, and however often it is made."""
    whole = {name: array[: max(BATCHES)] for name, array in reference.items()}
    images = run(whole)
    reversed_rows = run({name: array[::-1] for name, array in whole.items()})[::-1]
    if not np.array_equal(images, reversed_rows) or not np.array_equal(images, run(whole)):
        raise Refused("an image changes with the company it is sampled in")
    for batch in BATCHES:
        alone = run({name: array[:batch] for name, array in whole.items()})
        if not np.array_equal(alone, images[:batch]):
            worst = float(np.abs(alone - images[:batch]).max())
            raise Refused(f"images of a batch of {batch} differ from those of {max(BATCHES)} by up to {worst:.3g}")
    return "rows bitwise equal in every batch"


def check(data: bytes, reference: Arrays) -> dict[str, str]:
    """Apply every gate; returns what each found, by name.

    Raises:
        Refused: with the gate's name before the message.
    """
    model = onnx.load_from_string(data)
    gates: dict[str, Callable[[], str]] = {
        "structure": lambda: check_structure(data, model),
        "randomness": lambda: check_randomness(data),
        "signature": lambda: check_signature(model, reference),
        "parity": lambda: check_parity(run, reference),
        "independence": lambda: check_independence(run, reference),
    }
    session = None

    def run(inputs: Arrays) -> NDArray[Any]:
        nonlocal session
        if session is None:
            from ganzoo.runtime.session import open_session

            session, _ = open_session(data, device="cpu", threads=None, source="the exported file")
        feeds = {name: np.ascontiguousarray(inputs[name]) for name in ("z", "labels") if name in inputs}
        images: NDArray[Any] = session.run(["images"], feeds)[0]
        return images

    findings = {}
    for name, gate in gates.items():
        try:
            findings[name] = gate()
        except Refused as refusal:
            raise Refused(f"{name}: {refusal}") from refusal
    return findings


def pack(data: bytes, reference: Mapping[str, NDArray[Any]]) -> bytes:
    """An ONNX file and its reference as one stream of bytes, for ``main``."""
    packed = io.BytesIO()
    arrays: dict[str, Any] = {**reference, _FILE: np.frombuffer(data, np.uint8)}
    np.savez(packed, **arrays)
    return packed.getvalue()


def main(packed: bytes) -> int:
    """Check what ``pack`` packed, and print the result."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        reference = dict(arrays)
    try:
        findings = check(reference.pop(_FILE).tobytes(), reference)
    except Refused as refusal:
        sys.stdout.write(json.dumps({"refused": str(refusal)}))
        return 1
    sys.stdout.write(json.dumps({"passed": findings}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer.read()))
