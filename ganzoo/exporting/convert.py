"""Converts torch networks to ONNX, and makes the reference outputs that the gates compare the file with."""

import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ganzoo.errors import GanzooError, UsageError, described, first_line
from ganzoo.latents import draw
from ganzoo.runtime.card import METADATA_KEY, GeneratorCard
from ganzoo.runtime.graph import weights_digest

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

DEFAULT_OPSET = 20
CORNERS = (0.0, 4.0, -4.0)
"""Values of all entries of corner latents: 0, and +-4 standard deviations, where activations saturate."""

REFERENCE_ROWS = 64


class _Unlabelled(nn.Module):
    """A generator without labels as a function of z alone."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor) -> Tensor:
        images: Tensor = self.generator(z, None)
        return images


def to_onnx(generator: nn.Module, card: GeneratorCard, opset: int = DEFAULT_OPSET) -> bytes:
    """Convert ``generator`` (on the CPU, in fp32, eval mode) to one ONNX file with the card in its metadata.

    The graph is ``z f32[batch, L]`` (and ``labels i64[batch]``) -> ``images f32[batch, C, H, W]``.

    Raises:
        GanzooError: torch cannot convert it.
        UsageError: torch cannot convert it to this opset.
    """
    conditional = bool(card.class_names)
    batch = torch.export.Dim("batch")
    shapes: dict[str, dict[int, torch.export.Dim]] = {"z": {0: batch}}
    inputs: tuple[Tensor, ...] = (torch.zeros(2, card.latent_dim),)
    if conditional:
        shapes["labels"] = {0: batch}
        inputs = (*inputs, torch.zeros(2, dtype=torch.int64))
    module = generator if conditional else _Unlabelled(generator)
    proto = convert(module.eval(), "generator", inputs, shapes, ["images"], opset)
    weights = weights_digest(finish(proto, {}))
    return finish(proto, {METADATA_KEY: replace(card, weights=weights).to_json()})


def convert(
    network: nn.Module,
    what: str,
    inputs: tuple[Tensor, ...],
    shapes: "Mapping[str, Mapping[int, torch.export.Dim]]",
    outputs: Sequence[str],
    opset: int = DEFAULT_OPSET,
) -> "ModelProto":
    """``network`` as torch's exporter writes it.

    Args:
        what: names the network in messages.
        inputs: what it is traced with.
        shapes: name of each input -> its dynamic dimensions, by axis.
        outputs: names of the outputs.

    Raises:
        GanzooError: torch cannot convert it.
        UsageError: torch cannot convert it to this opset.
    """
    _require_temporary_directory()
    try:
        with quiet(), torch.no_grad():
            program = torch.onnx.export(
                network,
                inputs,
                dynamo=True,
                verbose=False,
                opset_version=opset,
                input_names=list(shapes),
                output_names=list(outputs),
                dynamic_shapes=tuple(shapes.values()),
            )
    except Exception as error:  # the exporter's family of errors is open-ended
        raise _unconverted(what, error) from error
    if program is None:
        raise GanzooError("torch returned no ONNX program")
    proto = program.model_proto
    made = next(entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx"))
    if made != opset:  # the exporter falls back to another with a remark
        raise UsageError(f"torch makes no ONNX of opset {opset} of this {what}", hint=f"--opset {made} works")
    return proto


def _require_temporary_directory() -> None:
    """Refuse what torch would fail at, too: its compiler, which traces networks, wants one when it is imported."""
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise GanzooError(
            "torch converts no network without a temporary directory, and none can be written to here",
            hint="name one that can: TMPDIR=DIR before the command; what is attached already needs none",
        ) from error


def _unconverted(what: str, error: Exception) -> GanzooError:
    """The error to raise for the exporter's, which wraps the cause in pages of advice."""
    causes = [error]
    while isinstance(cause := causes[-1].__cause__, Exception) and cause not in causes:
        causes.append(cause)
    ours = next((cause for cause in causes if isinstance(cause, OSError | MemoryError)), None)
    if ours:
        return GanzooError(f"torch could not convert the {what} to ONNX here: {described(ours)}")
    return GanzooError(
        f"torch cannot convert the {what} to ONNX: {first_line(causes[-1])[:200]}",
        hint="its forward must be traceable for any batch; GANZOO_DEBUG=1 shows where it is not",
    )


def finish(proto: "ModelProto", metadata: Mapping[str, str]) -> bytes:
    """The file: with ``metadata``, for as many readers as can be, and with nothing of this machine."""
    for key, value in metadata.items():
        proto.metadata_props.add(key=key, value=value)
    _forget_sources(proto)
    _widen_readership(proto)
    return bytes(proto.SerializeToString(deterministic=True))


def _forget_sources(proto: "ModelProto") -> None:
    """Remove what the exporter notes on each node: the file and line that it comes from, with this machine's paths."""
    graph = proto.graph
    proto.doc_string = ""
    for part in (graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]


def _widen_readership(proto: "ModelProto") -> None:
    """Ask no more of a reader than the operators do, and say nothing twice.

    torch writes its newest IR version whatever the opset, which older runtimes refuse; and it gives weights a shape
    among the inner values, too, which contradicts a tool that transposes a weight, as ONNX Runtime's quantiser does.
    """
    from onnx.helper import find_min_ir_version_for

    proto.ir_version = find_min_ir_version_for(proto.opset_import, ignore_unknown=True)
    weights = {tensor.name for tensor in proto.graph.initializer}
    inner = [value for value in proto.graph.value_info if value.name not in weights]
    del proto.graph.value_info[:]
    proto.graph.value_info.extend(inner)


@torch.no_grad()
def reference(generator: nn.Module, card: GeneratorCard) -> "dict[str, NDArray[np.generic]]":
    """Inputs ``z`` (corner latents) and, if conditional, ``labels`` (every one), and torch's ``images`` for them.

    Raises:
        GanzooError: the generator itself fails on them.
    """
    classes = len(card.class_names)
    rows = max(REFERENCE_ROWS, classes)
    z, _ = draw(0, 0, rows, card.latent_dim)
    for row, value in enumerate(CORNERS):
        z[row] = value
    arrays: dict[str, NDArray[np.generic]] = {"z": z}
    labels = None
    if classes:
        arrays["labels"] = np.arange(rows, dtype=np.int64) % classes
        labels = torch.from_numpy(arrays["labels"])
    try:
        arrays["images"] = generator.eval()(torch.from_numpy(z), labels).contiguous().numpy()
    except Exception as error:  # a plugin's forward may raise anything
        raise GanzooError(
            f"the generator fails on a batch of {rows}: {first_line(error)[:200]}",
            hint="its forward must take any batch; GANZOO_DEBUG=1 shows where it does not",
        ) from error
    return arrays


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the exporter's remarks on its own internals (packages that it would like, deprecations inside torch)."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
