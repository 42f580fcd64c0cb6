"""Proves a file in a process of its own: a hostile or odd graph may crash the runtime, and then it is refused.

    python -m ganzoo.exporting.proof < PACKED        what ``_pack`` made of the file and what it is held against

prints one JSON object and exits 0 (all gates passed) or 1 (it names the gate that failed). Never imports torch.
"""

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import GanzooError
from ganzoo.exporting.derived import check_derived
from ganzoo.exporting.gates import check
from ganzoo.files import Unreadable, parse_object
from ganzoo.runtime.vetting import Refused

GATE_SECONDS = 600
"""Most seconds that all gates may take together; if they take longer, one of them hangs."""

_FILE, _ORIGIN, _TOLERANCE = "onnx", "origin", "tolerance"
_ARRAY = "array "
"""What stands before the name of each array of the reference when it is packed, beside the file and the tolerance."""

HINTS = {
    "structure": "ONNX must be able to say all of the generator in plain operators, with finite weights",
    "randomness": "let it draw noise and drop out behind `if self.training:` alone (torch.nn.Dropout does)",
    "signature": "make one image of each row of z, and take the batch's size as z.shape[0], never as a plain number",
    "parity": "compute in float32, and in eval mode from z, labels, controls and weights alone",
    "independence": "take means, sums and orders over one image, never over the batch",
    "fidelity": "leave out --int8: the file in fp32 stays; more training often makes a generator easier to round",
    "pixels": "leave out --uint8, and make pixels of the values outside the file",
}
"""Gate -> what to look for in a generator that it refuses."""


def prove(data: bytes, name: str, reference: Mapping[str, NDArray[np.generic]], tolerance: float) -> Mapping[str, str]:
    """What each gate found about a file that torch's images are known for; see ``ganzoo.exporting.gates.check``.

    Raises:
        GanzooError: a gate did not pass; names it, and says by how much.
    """
    arrays: dict[str, Any] = {f"{_ARRAY}{each}": array for each, array in reference.items()}
    packed = _pack({_FILE: np.frombuffer(data, np.uint8), _TOLERANCE: np.float64(tolerance), **arrays})
    return _proved(packed, name, name)


def prove_derived(data: bytes, name: str, origin: bytes, form: str) -> Mapping[str, str]:
    """What each gate found about a file that was made of ``origin``; see ``ganzoo.exporting.derived.check_derived``.

    Args:
        form: what was made of it, for the message: ``in int8``, say.

    Raises:
        GanzooError: a gate did not pass; names it, and says by how much.
    """
    packed = _pack({_FILE: np.frombuffer(data, np.uint8), _ORIGIN: np.frombuffer(origin, np.uint8)})
    return _proved(packed, name, f"{name} {form}")


def hint_of(refusal: str) -> str:
    """What to do about a gate's refusal, which begins with the gate's name."""
    return HINTS[refusal.partition(":")[0]]


def _proved(packed: bytes, name: str, what: str) -> Mapping[str, str]:
    # -P, so that a numpy.py in the working directory is not imported.
    command = [sys.executable, "-P", "-m", "ganzoo.exporting.proof"]
    again = f"the weights are as they were; to try again: ganzoo export {name}"
    try:
        # By a pipe: a file would stay behind if this process were killed, and need a place that can be written to.
        child = subprocess.run(command, input=packed, capture_output=True, timeout=GATE_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise GanzooError(f"{what} was not exported: the gates took over {GATE_SECONDS} s", hint=again) from error
    try:
        verdict = parse_object(child.stdout, len(child.stdout))
    except Unreadable:
        verdict = {}
    if child.returncode == 0 and "passed" in verdict:
        passed: Mapping[str, str] = verdict["passed"]
        return passed
    if "refused" in verdict:
        refusal = str(verdict["refused"])
        raise GanzooError(f"{what} was not exported: gate {refusal}", hint=hint_of(refusal))
    last = child.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
    raise GanzooError(f"{what} was not exported: the process that checks it failed: {last[0]}", hint=again)


def _pack(arrays: Mapping[str, Any]) -> bytes:
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **arrays)
    return packed.getvalue()


def main(packed: bytes) -> int:
    """Check what ``_pack`` packed, and print the result."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        given = dict(arrays)
    data = given[_FILE].tobytes()
    try:
        if _ORIGIN in given:
            findings = check_derived(data, given[_ORIGIN].tobytes())
        else:
            reference = {name.removeprefix(_ARRAY): given[name] for name in given if name.startswith(_ARRAY)}
            findings = check(data, reference, tolerance=float(given[_TOLERANCE]))
    except Refused as refusal:
        sys.stdout.write(json.dumps({"refused": str(refusal)}))
        return 1
    sys.stdout.write(json.dumps({"passed": findings}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer.read()))
