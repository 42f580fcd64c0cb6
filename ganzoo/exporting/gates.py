"""The gates that an ONNX file must pass before it exists. ``ganzoo.exporting.proof`` runs them; never imports torch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ganzoo.errors import IntegrityError
from ganzoo.runtime import vetting
from ganzoo.runtime.card import METADATA_KEY, GeneratorCard
from ganzoo.runtime.graph import weights_digest
from ganzoo.runtime.providers import one_line
from ganzoo.runtime.vetting import Refused

TOLERANCE = 1e-5
"""Largest difference from torch in any pixel, on a scale where black is -1 and white 1, unless torch rounds more."""

OUTPUTS = ("images", "finite")

BATCHES = (1, 2, 3, 7, 33, 64)

Arrays = dict[str, NDArray[Any]]
Run = Callable[[Arrays], NDArray[Any]]


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Weights, and the constants in nodes."""
    yield from graph.initializer
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        yield from [*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors]


def check_structure(data: bytes) -> str:
    """The file passes ONNX's own checker, with strict shapes, has finite weights, and would be taken from anywhere.

    It also asks no more of its readers than its operators do, and gives no weight a second shape; and its card has the
    check sum of these weights, by which a damaged file is known.
    """
    model = onnx.load_from_string(data)
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
    if card_of(data).weights != weights_digest(data):
        raise Refused("its card has the check sum of other weights")
    return f"{len(model.graph.node)} operators, {len(model.graph.initializer)} weights"


def check_randomness(data: bytes) -> str:
    """All randomness comes in through z: the same inputs always give the same images."""
    vetting.check_randomness(data)
    return "no random operator"


def check_signature(data: bytes, reference: Arrays) -> str:
    """Inputs and outputs have the agreed names, types and shapes, and one free dimension: the batch, first."""
    graph = onnx.load_from_string(data).graph
    names, made = ([value.name for value in ports] for ports in (graph.input, graph.output))
    expected = [name for name in reference if name not in OUTPUTS]
    if [*names, *made] != list(reference):
        what = " and ".join(repr(name) for name in reference if name in OUTPUTS)
        raise Refused(f"inputs are {names}, not {expected}, or the output is not {what}")
    for value in [*graph.input, *graph.output]:
        dims = value.type.tensor_type.shape.dim
        wanted = ["batch", *reference[value.name].shape[1:]]
        found = [dim.dim_param or dim.dim_value for dim in dims]
        if found != wanted:
            raise Refused(f"{value.name} has shape {found}, not {wanted}")
        kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        if kind != (dtype := reference[value.name].dtype):
            raise Refused(f"{value.name} is of {kind}, not {dtype}")
    return "batch is the one free dimension"


def check_parity(run: Run, reference: Arrays, batches: Sequence[int], tolerance: float) -> str:
    """Every pixel equals torch's within ``tolerance``, at every batch size, on corner latents, labels and controls."""
    worst = 0.0
    for batch in batches:
        rows = len(reference["z"]) if batch == max(batches) else batch  # the largest goes over all rows: every label
        for first in range(0, rows, batch):
            part = {name: array[first : first + batch] for name, array in reference.items()}
            images = run(part)
            if not np.isfinite(images).all():
                raise Refused("makes NaN or infinity where torch makes numbers")
            worst = max(worst, float(np.abs(images.astype(np.float64) - part["images"]).max()))
    if worst > tolerance:
        raise Refused(f"differs from torch by up to {worst:.3g}, allowed is {tolerance:g}")
    allowed = "" if tolerance == TOLERANCE else f" of {tolerance:.2g}, by torch's own rounding,"
    return f"max |difference| {worst:.2g}{allowed} at batches {', '.join(map(str, batches))}"


def check_independence(run: Run, reference: Arrays, batches: Sequence[int]) -> str:
    """An image is the same to the bit whatever else is in its batch, and however often it is made."""
    whole = {name: array[: max(batches)] for name, array in reference.items()}
    images = run(whole)
    reversed_rows = run({name: array[::-1] for name, array in whole.items()})[::-1]
    if not np.array_equal(images, reversed_rows) or not np.array_equal(images, run(whole)):
        raise Refused("an image changes with the company it is sampled in")
    for batch in batches:
        alone = run({name: array[:batch] for name, array in whole.items()})
        if not np.array_equal(alone, images[:batch]):
            worst = float(np.abs(alone.astype(np.float64) - images[:batch]).max())
            raise Refused(f"images of a batch of {batch} differ from those of {max(batches)} by up to {worst:.3g}")
    return "rows bitwise equal in every batch"


def check(
    data: bytes, reference: Arrays, batches: Sequence[int] = BATCHES, tolerance: float = TOLERANCE
) -> dict[str, str]:
    """Apply every gate; returns what each found, by name.

    Args:
        data: the ONNX file.
        reference: inputs, and torch's images for them.
        batches: sizes of the batches that are compared.
        tolerance: largest difference from torch in any pixel.

    Raises:
        Refused: with the gate's name before the message.
    """
    run = Runner(data)
    return apply(
        {
            "structure": partial(check_structure, data),
            "randomness": partial(check_randomness, data),
            "signature": partial(check_signature, data, reference),
            "parity": partial(check_parity, run, reference, batches, tolerance),
            "independence": partial(check_independence, run, reference, batches),
        }
    )


def apply(gates: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    """What each gate found, by name.

    Raises:
        Refused: with the gate's name before the message.
    """
    findings = {}
    for name, gate in gates.items():
        try:
            findings[name] = gate()
        except Refused as refusal:
            raise Refused(f"{name}: {refusal}") from refusal
    return findings


class Runner:
    """Makes images with a file; it is loaded when the first are asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._session: Any = None

    def __call__(self, arrays: Arrays) -> NDArray[Any]:
        """Images of inputs; other arrays than the graph's inputs are left alone.

        Raises:
            Refused: ONNX Runtime does not load the file, or fails on this batch.
        """
        from ganzoo.runtime.session import open_session

        try:
            if self._session is None:
                self._session, _ = open_session(self._data, device="cpu", threads=None, source="the exported file")
        except IntegrityError as error:  # it lacks an operator, or lacks it for a type
            raise Refused(str(error)) from error
        wanted = [port.name for port in self._session.get_inputs()]
        feeds = {name: np.ascontiguousarray(arrays[name]) for name in wanted}
        try:
            images: NDArray[Any] = self._session.run(["images"], feeds)[0]
        except Exception as error:  # ONNX Runtime's exceptions have no common base
            raise Refused(f"ONNX Runtime fails on a batch of {len(feeds['z'])}: {one_line(error)}") from error
        return images


def card_of(data: bytes) -> GeneratorCard:
    """The card in an ONNX file's metadata.

    Raises:
        IntegrityError: it is missing or damaged.
    """
    properties = onnx.load_from_string(data).metadata_props
    return GeneratorCard.from_json(next((entry.value for entry in properties if entry.key == METADATA_KEY), None))
