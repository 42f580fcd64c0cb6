"""ONNX Runtime sessions made from bytes that may be anything."""

import contextlib
import ctypes
import sys
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError, IntegrityError, UsageError
from ganzoo.runtime.providers import (
    CUDA,
    Device,
    check_device,
    load_onnxruntime,
    one_line,
    providers_of,
    require_cuda,
    saturates,
)

MOST_THREADS = 1024

_NOWHERE = str(Path(__file__) / "nowhere")
"""A path that cannot exist, below a file: where ONNX Runtime looks for weights outside the file, instead of in the
working directory. An empty directory would have to be made, and a server may have none to make it in."""


def open_session(
    data: bytes, *, device: Device = "auto", threads: int | None = None, source: str = "the ONNX file"
) -> tuple[Any, str]:
    """Make a session.

    Args:
        data: a single-file ONNX model.
        device: ``auto`` takes CUDA where it really works and otherwise the CPU.
        threads: threads that work on one run together, 1 to ``MOST_THREADS``; None: ONNX Runtime chooses.
        source: names the model in messages.

    Returns:
        An ``onnxruntime.InferenceSession`` and its device: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: ``device`` or ``threads`` is none that there can be.
        IntegrityError: ``data`` is no model that ONNX Runtime loads, or keeps its weights elsewhere.
        MissingPackageError, GanzooError: ``device`` is a CUDA device that does not work.
    """
    check_choice(device, threads)
    if device == "cpu":
        return _load(data, "cpu", threads, source), "cpu"
    asked = "cuda" if device == "auto" else device
    try:
        require_cuda(asked)
        return _load(data, asked, threads, source), asked
    except IntegrityError:
        raise
    except GanzooError:
        if device != "auto":
            raise
    return _load(data, "cpu", threads, source), "cpu"


def _load(data: bytes, device: str, threads: int | None, source: str) -> Any:
    runtime = load_onnxruntime()
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if saturates():
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", _NOWHERE)
    try:
        # The Python wrapper's fallback would print to stdout and try again on the CPU.
        session = runtime.InferenceSession(data, options, providers=providers_of(device), enable_fallback=0)
    except Exception as error:  # ONNX Runtime's exceptions have no common base
        reason = one_line(error).replace(_NOWHERE, "")
        if device != "cpu" and "CUDA" in reason:  # no memory left on the device, say
            message = f"{source} cannot be loaded on {device}: {reason}"
            raise GanzooError(message, hint="use --device cpu") from error
        raise IntegrityError(
            f"{source} cannot be loaded: {reason}", hint="export it again: ganzoo export NAME -o FILE"
        ) from error
    if device != "cpu" and CUDA not in session.get_providers():
        raise GanzooError(f"{source} would run on the CPU instead of {device}", hint="use --device cpu")
    _release(session)
    return session


def _release(session: Any) -> None:
    """Give back the memory that only loading took: as much as the weights take, two times.

    The wrapper keeps the file's bytes, in case that it has to load them again on other providers, which is switched
    off; and what the parser freed, glibc keeps for itself.
    """
    vars(session).pop("_model_bytes", None)
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def check_choice(device: object, threads: object) -> None:
    """Refuse what would be taken for something else: another word for ``auto``, -1 for all cores.

    Raises:
        UsageError: ``device`` or ``threads`` is none that there can be.
    """
    check_device(device)
    if threads is not None and (type(threads) is not int or not 1 <= threads <= MOST_THREADS):
        raise UsageError(
            f"threads must be a whole number from 1 to {MOST_THREADS}, not {threads!r}",
            hint="None lets ONNX Runtime choose",
        )
