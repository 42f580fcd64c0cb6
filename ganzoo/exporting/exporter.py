"""From a generator to bytes that passed every gate, or to an error that names the gate."""

import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ganzoo.errors import GanzooError
from ganzoo.exporting.convert import DEFAULT_OPSET, reference, to_onnx
from ganzoo.exporting.gates import pack
from ganzoo.files import Unreadable, parse_object
from ganzoo.runtime.card import GeneratorCard

if TYPE_CHECKING:
    from torch import nn

GATE_SECONDS = 600
"""Most seconds that all gates may take together; if they take longer, one of them hangs."""


def export(generator: "nn.Module", card: GeneratorCard, opset: int | None = None) -> tuple[bytes, Mapping[str, str]]:
    """Convert ``generator`` (CPU, fp32) and prove the file.

    Returns:
        The ONNX file, and what each gate found.

    Raises:
        GanzooError: it cannot be converted, or a gate did not pass; names the gate, and says by how much.
    """
    data = to_onnx(generator, card, opset or DEFAULT_OPSET)
    return data, _verdict(pack(data, reference(generator, card)), card.name)


def _verdict(packed: bytes, name: str) -> Mapping[str, str]:
    # -P, so that a numpy.py in the working directory is not imported.
    command = [sys.executable, "-P", "-m", "ganzoo.exporting.gates"]
    hint = "the weights are as they were; a generator must be deterministic and must not mix the images of a batch"
    try:
        # By a pipe: a file would stay behind if this process were killed, and need a place that can be written to.
        child = subprocess.run(command, input=packed, capture_output=True, timeout=GATE_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise GanzooError(f"{name} was not exported: the gates took over {GATE_SECONDS} s", hint=hint) from error
    try:
        verdict = parse_object(child.stdout, len(child.stdout))
    except Unreadable:
        verdict = {}
    if child.returncode == 0 and "passed" in verdict:
        passed: Mapping[str, str] = verdict["passed"]
        return passed
    if "refused" in verdict:
        raise GanzooError(f"{name} was not exported: gate {verdict['refused']}", hint=hint)
    last = child.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
    raise GanzooError(f"{name} was not exported: the process that checks it failed: {last[0]}", hint=hint)
