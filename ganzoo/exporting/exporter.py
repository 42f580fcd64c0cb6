"""From a generator to bytes that passed every gate, or to an error that names the gate."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import GanzooError
from ganzoo.exporting.convert import DEFAULT_OPSET, reference, to_onnx
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
    import numpy as np

    data = to_onnx(generator, card, opset or DEFAULT_OPSET)
    with tempfile.TemporaryDirectory(prefix="ganzoo-export-") as directory:
        (Path(directory) / "model.onnx").write_bytes(data)
        arrays: dict[str, Any] = dict(reference(generator, card))
        np.savez(Path(directory) / "reference.npz", **arrays)
        return data, _verdict(directory, card.name)


def _verdict(directory: str, name: str) -> Mapping[str, str]:
    # -P, so that a numpy.py in the working directory is not imported.
    command = [sys.executable, "-P", "-m", "ganzoo.exporting.gates", directory]
    hint = "the weights are as they were; a generator must be deterministic and must not mix the images of a batch"
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=GATE_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise GanzooError(f"{name} was not exported: the gates took over {GATE_SECONDS} s", hint=hint) from error
    try:
        verdict = json.loads(child.stdout)
    except ValueError:
        verdict = {}
    if child.returncode == 0 and "passed" in verdict:
        passed: Mapping[str, str] = verdict["passed"]
        return passed
    if "refused" in verdict:
        raise GanzooError(f"{name} was not exported: gate {verdict['refused']}", hint=hint)
    last = child.stderr.strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
    raise GanzooError(f"{name} was not exported: the process that checks it failed: {last[0]}", hint=hint)
