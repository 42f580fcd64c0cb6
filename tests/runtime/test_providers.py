import ctypes
import platform
import sys
from collections.abc import Callable
from importlib import metadata

import numpy as np
import onnx
import onnxruntime
import pytest

from ganzoo.errors import ExitCode, GanzooError, IntegrityError, MissingPackageError
from ganzoo.runtime import providers
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.runtime.providers import CPU, CUDA, survey

CUDA_FAULT = survey().faults[CUDA]


def test_the_probe_is_a_model() -> None:
    model = onnx.load_from_string(providers._PROBE)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["ConvTranspose"]


def test_report_says_what_works(capfd: pytest.CaptureFixture[str]) -> None:
    found = survey()
    assert found.version == onnxruntime.__version__
    assert found.faults[CPU] is None
    assert CPU in found.advertised
    assert len(found.distributions) == 1
    assert found.collision is None
    assert capfd.readouterr() == ("", "")


def test_report_notices_two_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "1.31.1")
    found = survey()
    assert found.distributions == {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"}
    assert found.collision is not None
    assert found.collision.startswith("pip uninstall -y onnxruntime onnxruntime-gpu")


def test_half_an_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both wheels own the same module: removing one leaves a module without content."""
    monkeypatch.delattr(onnxruntime, "InferenceSession")
    with pytest.raises(MissingPackageError) as caught:
        ImageGenerator.from_bytes(b"", device="cpu")
    assert str(caught.value) == "the installed ONNX Runtime is incomplete"
    assert (caught.value.hint or "").startswith("pip uninstall -y onnxruntime onnxruntime-gpu")
    assert caught.value.exit_code == ExitCode.MISSING_PACKAGE
    found = survey()
    assert found.version is None
    assert found.faults[CPU] == "the installed ONNX Runtime is incomplete"
    assert found.collision == caught.value.hint


def test_cuda_with_the_wheel_for_the_cpu(monkeypatch: pytest.MonkeyPatch, make_onnx: Callable[..., bytes]) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    with pytest.raises(MissingPackageError) as caught:
        ImageGenerator.from_bytes(make_onnx(), device="cuda")
    assert str(caught.value) == "the installed ONNX Runtime was built without CUDA"
    assert "pip install onnxruntime-gpu" in (caught.value.hint or "")
    assert caught.value.exit_code == ExitCode.MISSING_PACKAGE
    assert ImageGenerator.from_bytes(make_onnx(), device="auto").device == "cpu"


@pytest.fixture
def cuda_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])


@pytest.mark.usefixtures("cuda_wheel")
def test_cuda_without_a_driver(monkeypatch: pytest.MonkeyPatch, make_onnx: Callable[..., bytes]) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(GanzooError) as caught:
        ImageGenerator.from_bytes(make_onnx(), device="cuda")
    assert str(caught.value) == "CUDA does not work here: the NVIDIA driver is missing (libcuda.so.1)"
    assert caught.value.hint == "use --device cpu, or see what works: ganzoo doctor"
    assert caught.value.exit_code == ExitCode.FAILURE
    assert ImageGenerator.from_bytes(make_onnx(), device="auto").device == "cpu"


@pytest.mark.usefixtures("cuda_wheel")
def test_cuda_with_a_driver_that_finds_no_device(
    monkeypatch: pytest.MonkeyPatch, make_onnx: Callable[..., bytes]
) -> None:
    class Driver:
        def cuInit(self, flags: int) -> int:  # noqa: N802 - the driver's name
            return 100

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver())
    with pytest.raises(GanzooError, match=r"finds no usable device \(cuInit returned 100\)"):
        ImageGenerator.from_bytes(make_onnx(), device="cuda")


@pytest.mark.usefixtures("cuda_wheel")
def test_cuda_with_a_library_missing(
    monkeypatch: pytest.MonkeyPatch, make_onnx: Callable[..., bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    """A driver, but not the libraries: ONNX Runtime would run on the CPU without a word."""

    def load(name: str) -> None:
        raise OSError("libcublasLt.so.13: cannot open shared object file: No such file or directory")

    def fall_back(data: object, options: object, providers: object, **_: object) -> None:
        raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL : graph nodes that are assigned to the default CPU EP")

    monkeypatch.setattr(providers, "_driver_fault", lambda: None)
    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(onnxruntime, "InferenceSession", fall_back)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: sys.stdout.write("Failed to load"), raising=False)
    with pytest.raises(GanzooError, match=r"a CUDA library is missing \(libcublasLt.so.13: cannot open") as caught:
        ImageGenerator.from_bytes(make_onnx(), device="cuda")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == ExitCode.FAILURE
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("cuda_wheel")
@pytest.mark.parametrize(
    ("device", "number"), [("auto", None), ("cuda", None), ("cuda:0", "0"), ("cuda:1", "1"), ("cuda:12", "12")]
)
def test_which_of_several_devices(
    monkeypatch: pytest.MonkeyPatch, make_onnx: Callable[..., bytes], device: str, number: str | None
) -> None:
    """The probe and the session are given the very device that was asked for."""
    really, asked = onnxruntime.InferenceSession, list[object]()

    def on_the_cpu(data: bytes, options: object, providers: list[object], **more: object) -> object:
        asked.append(providers[0])
        session = really(data, onnxruntime.SessionOptions(), providers=[CPU])
        monkeypatch.setattr(session, "get_providers", lambda: [CUDA, CPU])
        return session

    monkeypatch.setattr(providers, "_driver_fault", lambda: None)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(onnxruntime, "InferenceSession", on_the_cpu)
    generator = ImageGenerator.from_bytes(make_onnx(), device=device)
    assert generator.device == ("cuda" if device == "auto" else device)
    settings = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
    assert asked == [(CUDA, settings | ({"device_id": number} if number else {}))] * 2


def test_this_machine_as_it_is(make_onnx: Callable[..., bytes], capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing simulated: CUDA works, or asking for it is an error that says the same as the report."""
    generator = ImageGenerator.from_bytes(make_onnx(), device="auto")
    assert generator.device == ("cpu" if CUDA_FAULT else "cuda")
    if CUDA_FAULT:
        with pytest.raises(GanzooError) as caught:
            ImageGenerator.from_bytes(make_onnx(), device="cuda")
        assert str(caught.value) == CUDA_FAULT
    assert capfd.readouterr() == ("", "")


def test_a_probe_that_falls_back_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ONNX Runtime, asked for a provider that this wheel or machine does not have."""
    fault = providers._probe_fault("QNNExecutionProvider" if CUDA_FAULT is None else CUDA)
    assert fault is not None
    assert "\n" not in fault


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : no : good\nmore", "no : good"),
        ("plain", "plain"),
        (
            "[ONNXRuntimeError] : 1 : FAIL : /src/model.cc:256 m::Model::Model(std::function<void(int)>&, int) const "
            "Unsupported model IR version: 99 (max 11)",
            "Unsupported model IR version: 99 (max 11)",
        ),
        ("/src/graph.cc:1 void f()", "/src/graph.cc:1 void f()"),
        ("", "RuntimeError"),
    ],
)
def test_one_line(text: str, line: str) -> None:
    assert providers.one_line(RuntimeError(text)) == line


def test_identity_names_the_version_and_the_cpu() -> None:
    assert providers.identity().startswith(f"onnxruntime {onnxruntime.__version__} on ")


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu(make_onnx: Callable[..., bytes]) -> None:
    data = make_onnx(("cat", "dog"))
    z = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    labels = np.arange(40) % 2
    cuda = ImageGenerator.from_bytes(data, device="cuda")
    assert cuda.device == "cuda"
    assert np.abs(cuda.run(z, labels) - ImageGenerator.from_bytes(data, device="cpu").run(z, labels)).max() < 1e-2


@pytest.mark.gpu
def test_bad_bytes_on_cuda() -> None:
    with pytest.raises(IntegrityError):
        ImageGenerator.from_bytes(b"", device="cuda")


@pytest.mark.parametrize(
    ("machine", "cpu", "expected"),
    [
        ("x86_64", "flags : avx2 avx512f", True),
        ("x86_64", "flags : avx512f avx512_vnni", False),
        ("AMD64", "flags : avx2 avx_vnni", False),
        ("aarch64", "Features : fp asimd", False),
    ],
)
def test_where_products_of_int8_saturate(
    machine: str, cpu: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(providers, "_cpu", lambda: cpu)
    assert providers.saturates.__wrapped__() is expected
