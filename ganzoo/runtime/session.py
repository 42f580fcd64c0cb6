"""ONNX Runtime sessions made from bytes that may be anything."""

import tempfile
from typing import Any

from ganzoo.errors import GanzooError, IntegrityError
from ganzoo.runtime.providers import CUDA, PROVIDERS, Device, load_onnxruntime, one_line, require_cuda


def open_session(
    data: bytes, *, device: Device = "auto", threads: int | None = None, source: str = "the ONNX file"
) -> tuple[Any, str]:
    """Make a session.

    Args:
        data: a single-file ONNX model.
        device: ``auto`` takes CUDA where it really works and otherwise the CPU.
        threads: threads that work on one run together; None: ONNX Runtime chooses.
        source: names the model in messages.

    Returns:
        An ``onnxruntime.InferenceSession`` and its device, ``cpu`` or ``cuda``.

    Raises:
        IntegrityError: ``data`` is no model that ONNX Runtime loads, or keeps its weights elsewhere.
        MissingPackageError, GanzooError: ``device`` is ``cuda``, which does not work.
    """
    if device == "cpu":
        return _load(data, "cpu", threads, source), "cpu"
    try:
        require_cuda()
        return _load(data, "cuda", threads, source), "cuda"
    except IntegrityError:
        raise
    except GanzooError:
        if device == "cuda":
            raise
    return _load(data, "cpu", threads, source), "cpu"


def _load(data: bytes, device: str, threads: int | None, source: str) -> Any:
    runtime = load_onnxruntime()
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    with tempfile.TemporaryDirectory(prefix="ganzoo-") as empty:
        # Else ONNX Runtime would look for external data in the working directory.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", empty)
        try:
            # The Python wrapper's fallback would print to stdout and try again on the CPU.
            session = runtime.InferenceSession(data, options, providers=PROVIDERS[device], enable_fallback=0)
        except Exception as error:  # ONNX Runtime's exceptions have no common base
            reason = one_line(error).replace(empty, "")
            if device == "cuda" and "CUDA" in reason:  # no memory left on the device, say
                message = f"{source} cannot be loaded on CUDA: {reason}"
                raise GanzooError(message, hint="use --device cpu") from error
            raise IntegrityError(
                f"{source} cannot be loaded: {reason}", hint="export it again: ganzoo export NAME -o FILE"
            ) from error
    if device == "cuda" and CUDA not in session.get_providers():
        raise GanzooError(f"{source} would run on the CPU instead of CUDA", hint="use --device cpu")
    return session
