"""ONNX Runtime's execution providers: which are there, and which really work.

``onnxruntime.get_available_providers()`` lists what a wheel was built with, not what this machine can run,
and a session that cannot use CUDA silently runs on the CPU (microsoft/onnxruntime#17801). So a
provider counts as working once it has run a model here.
"""

import contextlib
import ctypes
import functools
import io
import platform
import re
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError, MissingPackageError, UsageError, first_line
from ganzoo.machine import keep_quiet

Device = str
"""``auto``, ``cpu``, ``cuda``, or ``cuda:N`` for one of several; see ``check_device``."""

Provider = str | tuple[str, dict[str, str]]

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
_ON_CUDA = {
    # The default algorithm search times every convolution anew for each batch size. TF32 has 10 bits of mantissa:
    # too few for parity with PyTorch, and for figures that mean the same everywhere.
    "cudnn_conv_algo_search": "HEURISTIC",
    "use_tf32": "0",
}
_PLACE = re.compile(r"/\S+:\d+ ")
_DEVICE = re.compile("auto|cpu|cuda(:[0-9]{1,3})?")

_WHEELS = ("onnxruntime", "onnxruntime-gpu")
_MEND = "pip uninstall -y onnxruntime onnxruntime-gpu, then install the one that you want"

# The smallest model that needs what generators need (cuDNN for one, which is loaded only when first used):
# y = ConvTranspose(x, x), all f32[1,1,1,1], IR 8, opset 17.
_TENSOR = b"\x12\x16\n\x14\x08\x01\x12\x10" + b"\n\x02\x08\x01" * 4
_PROBE = (
    b'\x08\x08:W\n\x18\n\x01x\n\x01x\x12\x01y"\rConvTranspose\x12\x01g'
    b"Z\x1b\n\x01x" + _TENSOR + b"b\x1b\n\x01y" + _TENSOR + b"B\x04\n\x00\x10\x11"
)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The state of ONNX Runtime, as ``ganzoo doctor`` shows it.

    Args:
        version: version of the module that is imported; None if it cannot be used.
        distributions: the installed wheels and their versions; at most one is right.
        advertised: the providers that the wheel was built with.
        faults: provider that ganzoo uses -> why it does not work; None: it works.
        collision: how to mend an installation of both wheels, or the rest of one; None: nothing to mend.
    """

    version: str | None
    distributions: dict[str, str]
    advertised: tuple[str, ...]
    faults: dict[str, str | None]
    collision: str | None


def load_onnxruntime() -> Any:
    """The module ``onnxruntime``, silenced: only exceptions tell what is wrong, and it reports nothing to its makers.

    Since 1.29 its wheels for Linux leave an identifier in the home directory, and send what is run to Microsoft.

    Raises:
        MissingPackageError: both wheels were installed and one was removed, which leaves an empty module.
    """
    keep_quiet()
    import onnxruntime

    if not hasattr(onnxruntime, "InferenceSession"):
        raise MissingPackageError("the installed ONNX Runtime is incomplete", hint=_MEND)
    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


def check_device(device: object) -> None:
    """Refuse what would be taken for something else, as another word for ``auto``.

    Raises:
        UsageError: it is no device that there can be.
    """
    if not isinstance(device, str) or not _DEVICE.fullmatch(device):
        raise UsageError(
            f"device must be auto, cpu, cuda or cuda:N, not {device!r}",
            hint="cuda takes the first device of CUDA_VISIBLE_DEVICES, cuda:1 the second",
        )


def providers_of(device: str) -> list[Provider]:
    """What a session for ``cpu``, ``cuda`` or ``cuda:N`` runs on, the preferred one first."""
    if device == "cpu":
        return [CPU]
    number = device.partition(":")[2]
    # The CPU stands behind CUDA because ONNX Runtime keeps arithmetic on shapes there.
    return [(CUDA, {**_ON_CUDA, **({"device_id": number} if number else {})}), CPU]


def require_cuda(device: str = "cuda") -> None:
    """Return if CUDA works on ``device``.

    Raises:
        MissingPackageError: the installed ONNX Runtime was built without CUDA.
        GanzooError: the driver, a device or a library is missing; the message names it.
    """
    runtime = load_onnxruntime()
    if CUDA not in runtime.get_available_providers():
        raise MissingPackageError(
            "the installed ONNX Runtime was built without CUDA",
            hint="pip uninstall -y onnxruntime && pip install onnxruntime-gpu, or use --device cpu",
        )
    fault = _driver_fault() or _probe_fault(providers_of(device)[0])
    if fault:
        what = "CUDA" if device == "cuda" else device
        raise GanzooError(
            f"{what} does not work here: {fault}", hint="use --device cpu, or see what works: ganzoo doctor"
        )


def survey() -> Survey:
    """Try every provider and describe the installation; raises nothing."""
    distributions = {}
    for wheel in _WHEELS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            distributions[wheel] = metadata.version(wheel)
    collision = _MEND if len(distributions) > 1 else None
    try:
        runtime = load_onnxruntime()
    except (ImportError, MissingPackageError) as error:
        return Survey(
            version=None,
            distributions=distributions,
            advertised=(),
            faults={CPU: one_line(error), CUDA: one_line(error)},
            collision=_MEND if isinstance(error, MissingPackageError) else collision,
        )
    return Survey(
        version=runtime.__version__,
        distributions=distributions,
        advertised=tuple(runtime.get_available_providers()),
        faults={CPU: _probe_fault(CPU), CUDA: _cuda_fault()},
        collision=collision,
    )


def one_line(error: Exception) -> str:
    """An exception's message without what ONNX Runtime puts before it.

    That is ``[ONNXRuntimeError] : 7 : INVALID_PROTOBUF :``, and a file, a line and a function of its source.
    """
    line = first_line(error)
    line = line.split(" : ", 3)[-1] if line.startswith("[ONNXRuntimeError]") else line
    return _after_signature(line) if _PLACE.match(line) else line


def _after_signature(line: str) -> str:
    depth = 0
    for index, sign in enumerate(line):
        depth += (sign == "(") - (sign == ")")
        if sign == ")" and not depth and line[index + 1 :].strip():
            return line[index + 1 :].removeprefix(" const").strip()
    return line


@functools.cache
def identity() -> str:
    """What decides the CPU provider's bits besides model and latents, in words: ONNX Runtime and the kind of CPU."""
    return f"onnxruntime {load_onnxruntime().__version__} on {_cpu()}"


@functools.cache
def saturates() -> bool:
    """Whether products of uint8 and int8 saturate at 16 bits here, as they do on x86 without VNNI.

    ONNX Runtime can compute with uint8 weights instead: slower, and exact.
    """
    return platform.machine().lower() in ("x86_64", "amd64") and "vnni" not in _cpu()


def _cuda_fault() -> str | None:
    try:
        require_cuda()
    except GanzooError as error:
        return str(error)
    return None


def _probe_fault(provider: Provider) -> str | None:
    """Run the probe on ``provider`` alone; None: it worked."""
    import numpy as np

    runtime = load_onnxruntime()
    name = provider if isinstance(provider, str) else provider[0]
    if name == CUDA:
        _preload_cuda(runtime)
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    if name != CPU:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = runtime.InferenceSession(_PROBE, options, providers=[provider], enable_fallback=0)
        (answer,) = session.run(None, {"x": np.full((1, 1, 1, 1), 3, np.float32)})
    except Exception as error:  # ONNX Runtime's exceptions have no common base
        return (_library_fault(runtime) if name == CUDA else None) or one_line(error)
    return None if answer.item() == 9 else f"3 * 3 came out as {answer.item()}"


def _preload_cuda(runtime: Any) -> None:
    """Load the CUDA libraries of the nvidia-* wheels; its prints would disturb our own output."""
    if hasattr(runtime, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):
            runtime.preload_dlls()


def _driver_fault() -> str | None:
    """What is wrong with the CUDA driver, or None; asked of the driver, because ONNX Runtime only logs the reason."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return f"the NVIDIA driver is missing ({name})"
    status = driver.cuInit(0)
    return f"the NVIDIA driver finds no usable device (cuInit returned {status})" if status else None


def _library_fault(runtime: Any) -> str | None:
    """Which library that the CUDA provider is linked with cannot be loaded; None: all can."""
    for library in Path(runtime.__file__).parent.glob("capi/*onnxruntime_providers_cuda.*"):
        try:
            ctypes.CDLL(str(library))
        except OSError as error:
            return f"a CUDA library is missing ({one_line(error)})"
    return None


def _cpu() -> str:
    """The CPU's architecture, model and instruction sets, by which kernels are chosen."""
    wanted = ("model name", "flags", "CPU part", "Features")  # the first two on x86, the others on Arm
    try:
        first = Path("/proc/cpuinfo").read_text("utf-8").partition("\n\n")[0]
        lines = [line for line in first.splitlines() if line.startswith(wanted)]
    except OSError:
        lines = [platform.processor()]
    return " ".join([platform.machine(), *lines])
