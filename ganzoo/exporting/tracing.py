"""Has torch write a network as ONNX, operation by operation."""

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ganzoo.errors import GanzooError, UsageError
from ganzoo.exporting.reasons import explained

if TYPE_CHECKING:
    from onnx import ModelProto

DEFAULT_OPSET = 20


class _Positional(nn.Module):
    """A network whose inputs are bound by their place alone, whatever its forward calls them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        images: Tensor = self.network(*inputs)
        return images


PREFIX = "network."
"""What stands before the name of each weight in the graph."""


def trace(
    network: nn.Module,
    what: str,
    inputs: tuple[Tensor, ...],
    shapes: "Mapping[str, Mapping[int, torch.export.Dim]]",
    outputs: Sequence[str],
    opset: int = DEFAULT_OPSET,
) -> "ModelProto":
    """``network`` as torch's exporter writes it, with nothing optimised.

    torch's optimiser is not used: it takes every constant up to 1e-8 for 0, and so removes the epsilon of a norm.

    Args:
        what: names the network in messages.
        inputs: what it is traced with.
        shapes: name of each input -> its dynamic dimensions, by axis. Each needs a ``min``: torch follows one branch of
            an operator that treats a size of 1, say, in another way. The file takes smaller ones all the same.
        outputs: names of the outputs.

    Raises:
        UnexportableError: torch cannot convert it.
        GanzooError: torch cannot convert anything here.
        UsageError: torch cannot convert it to this opset.
    """
    _require_temporary_directory()
    dynamic = (tuple(shapes.values()),)
    try:
        with quiet(), torch.no_grad():
            # By itself, because torch.onnx would try other ways after a failure, and make a fixed size of a free one.
            exported = torch.export.export(_Positional(network).eval(), inputs, dynamic_shapes=dynamic, strict=False)
            program = torch.onnx.export(
                exported,
                dynamo=True,
                verbose=False,
                opset_version=opset,
                input_names=list(shapes),
                output_names=list(outputs),
                dynamic_shapes=dynamic,
                optimize=False,
            )
    except Exception as error:  # the exporter's family of errors is open-ended
        raise explained(what, error) from error
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


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the exporter's remarks on its own internals: packages that it would like, deprecations, half a graph."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "torch.fx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
