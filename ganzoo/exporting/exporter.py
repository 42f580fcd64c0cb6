"""From a generator to bytes that passed every gate, or to an error that names the gate."""

import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ganzoo.errors import GanzooError
from ganzoo.exporting.convert import Graph, to_graph
from ganzoo.exporting.gates import pack
from ganzoo.exporting.reference import reference, tolerance
from ganzoo.exporting.tracing import DEFAULT_OPSET
from ganzoo.files import Unreadable, parse_object
from ganzoo.runtime.card import GeneratorCard

if TYPE_CHECKING:
    from torch import nn

GATE_SECONDS = 600
"""Most seconds that all gates may take together; if they take longer, one of them hangs."""

HINTS = {
    "structure": "ONNX must be able to say all of the generator in plain operators, with finite weights",
    "randomness": "let it draw noise and drop out behind `if self.training:` alone (torch.nn.Dropout does)",
    "signature": "make one image of each row of z, and take the batch's size as z.shape[0], never as a plain number",
    "parity": "compute in float32, and in eval mode from z, labels, controls and weights alone",
    "independence": "take means, sums and orders over one image, never over the batch",
}
"""Gate -> what to look for in a generator that it refuses."""


def export(
    generator: "nn.Module", card: GeneratorCard, opset: int | None = None, graph: Graph | None = None
) -> tuple[bytes, Mapping[str, str]]:
    """Convert ``generator`` (CPU, fp32) and prove the file.

    Args:
        graph: how the generator computes, where that is known; None: find out.

    Returns:
        The ONNX file, and what each gate found.

    Raises:
        GanzooError: it cannot be converted, or a gate did not pass; names the gate, and says by how much.
    """
    arrays = reference(generator, card)
    graph = graph or to_graph(generator, card, opset or DEFAULT_OPSET)
    data = graph.file(generator, card)
    return data, _verdict(pack(data, arrays, tolerance(generator, card, arrays)), card.name)


def hint_of(refusal: str) -> str:
    """What to do about a gate's refusal, which begins with the gate's name."""
    return HINTS[refusal.partition(":")[0]]


def _verdict(packed: bytes, name: str) -> Mapping[str, str]:
    # -P, so that a numpy.py in the working directory is not imported.
    command = [sys.executable, "-P", "-m", "ganzoo.exporting.gates"]
    again = f"the weights are as they were; to try again: ganzoo export {name}"
    try:
        # By a pipe: a file would stay behind if this process were killed, and need a place that can be written to.
        child = subprocess.run(command, input=packed, capture_output=True, timeout=GATE_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise GanzooError(f"{name} was not exported: the gates took over {GATE_SECONDS} s", hint=again) from error
    try:
        verdict = parse_object(child.stdout, len(child.stdout))
    except Unreadable:
        verdict = {}
    if child.returncode == 0 and "passed" in verdict:
        passed: Mapping[str, str] = verdict["passed"]
        return passed
    if "refused" in verdict:
        refusal = str(verdict["refused"])
        raise GanzooError(f"{name} was not exported: gate {refusal}", hint=hint_of(refusal))
    last = child.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
    raise GanzooError(f"{name} was not exported: the process that checks it failed: {last[0]}", hint=again)
