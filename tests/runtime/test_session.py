"""Bytes that are no generator: one line, exit code 4, and not a word from ONNX Runtime."""

import contextlib
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ganzoo.errors import ExitCode, GanzooError, IntegrityError, UsageError
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.runtime.session import open_session

BAD = {
    "empty": b"",
    "pickle": b"\x80\x04\x95\x20\x00\x00\x00\x00\x00\x00\x00\x8c\x08builtins\x94.",
    "text": b"<!doctype html><title>404</title>",
    "random": random.Random(0).randbytes(4096),
    "length bomb": b"\x3a\xff\xff\xff\xff\x7f" + b"x" * 64,
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_bytes_that_are_no_model(name: str, device: Literal["cpu", "auto"], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(IntegrityError) as caught:
        ImageGenerator.from_bytes(BAD[name], device=device, source="g.onnx")
    assert str(caught.value).startswith("g.onnx cannot be loaded: ")
    assert "\n" not in str(caught.value)
    assert "[ONNXRuntimeError]" not in str(caught.value)
    assert caught.value.hint == "export it again: ganzoo export NAME -o FILE"
    assert caught.value.exit_code == ExitCode.INTEGRITY
    assert capfd.readouterr() == ("", "")


def test_truncated_anywhere(make_onnx: Callable[..., bytes], capfd: pytest.CaptureFixture[str]) -> None:
    data = make_onnx(("cat", "dog"))
    for length in [*range(64), *range(64, len(data) - 1, 101), len(data) - 1]:
        with pytest.raises(IntegrityError):
            ImageGenerator.from_bytes(data[:length], device="cpu")
    assert capfd.readouterr() == ("", "")


def test_flipped_bits_never_crash(make_onnx: Callable[..., bytes], capfd: pytest.CaptureFixture[str]) -> None:
    """A flip in the names and shapes is noticed; in the weights only the registry's digest can notice it."""
    data, rng = make_onnx(("cat", "dog")), random.Random(1)
    sampled = 0
    for _ in range(300):
        mutant = bytearray(data)
        mutant[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        with contextlib.suppress(GanzooError):
            ImageGenerator.from_bytes(bytes(mutant), device="cpu", threads=1).sample(2, 0)
            sampled += 1
    assert 0 < sampled < 300
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("link", ["file", "hard link", "symbolic link"])
def test_external_weights_are_refused_where_they_lie_in_the_working_directory(
    link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.ones(1, np.float32).tofile("secret")
    ways: dict[str, Callable[[str, str], None]]
    ways = {"file": os.rename, "hard link": os.link, "symbolic link": os.symlink}
    ways[link]("secret", "weights")
    weights = numpy_helper.from_array(np.ones(1, np.float32), "w")
    onnx.external_data_helper.set_external_data(weights, "weights")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    z, images = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("z", "images"))
    graph = helper.make_graph([helper.make_node("Min", ["z", "w"], ["images"])], "g", [z], [images], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    with pytest.raises(IntegrityError, match="cannot be loaded") as caught:
        open_session(model.SerializeToString(), device="cpu")
    assert "ganzoo-" not in str(caught.value)  # nor where our empty directory was
    assert capfd.readouterr() == ("", "")


def test_a_session_needs_no_directory(make_onnx: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a server, on a file system that it may only read."""
    for name in ("mkdtemp", "mkstemp", "gettempdir"):
        monkeypatch.setattr(tempfile, name, lambda *_, **__: pytest.fail("asks for a temporary directory"))
    session, device = open_session(make_onnx(), device="cpu", threads=1)
    assert device == "cpu"
    assert session.get_providers() == ["CPUExecutionProvider"]


@pytest.mark.parametrize(
    "device",
    [
        "cuda:",
        "cuda:-1",
        "cuda:x",
        "cuda:1000",
        "cuda:1 ",
        "cpu:0",
        "gpu",
        "CUDA",
        "tpu",
        "CPU",
        " cpu",
        "",
        None,
        0,
        b"cpu",
        ["cpu"],
    ],
)
def test_a_device_that_there_is_not(make_onnx: Callable[..., bytes], device: Any) -> None:
    with pytest.raises(UsageError) as caught:
        ImageGenerator.from_bytes(make_onnx(), device=device)
    assert str(caught.value) == f"device must be auto, cpu, cuda or cuda:N, not {device!r}"
    assert caught.value.hint is not None


@pytest.mark.parametrize("threads", [-1, 0, 10**5, True, "2", 2.0, [2]])
def test_threads_that_there_cannot_be(make_onnx: Callable[..., bytes], threads: Any) -> None:
    with pytest.raises(UsageError) as caught:
        ImageGenerator.from_bytes(make_onnx(), device="cpu", threads=threads)
    assert str(caught.value) == f"threads must be a whole number from 1 to 1024, not {threads!r}"


def test_the_runtime_is_told_to_report_nothing_before_it_is_imported(tmp_path: Path) -> None:
    """Its wheels for Linux leave an identifier in HOME, and send it, since 1.29."""
    code = (
        "import os, sys\n"
        "from ganzoo.runtime.providers import load_onnxruntime\n"
        "sys.meta_path.insert(0, type('Spy', (), {'find_spec': staticmethod(lambda name, *_: said.append((name,"
        " os.environ.get('ORT_DISABLE_TELEMETRY'))))}))\n"
        "said = []\n"
        "load_onnxruntime()\n"
        "assert ('onnxruntime', '1') in said, said\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path)}
    for name in ("ORT_DISABLE_TELEMETRY", "CI"):
        environment.pop(name, None)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []


WEIGHED = """
import resource, sys
from pathlib import Path
from ganzoo.runtime.session import open_session

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

open_session(Path(sys.argv[1]).read_bytes(), device="cpu", threads=1)  # all that is loaded once
before = resident()
session, _ = open_session(Path(sys.argv[2]).read_bytes(), device="cpu", threads=1)
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no memory is given back")
def test_a_session_keeps_its_weights_once(tmp_path: Path, make_onnx: Callable[..., bytes]) -> None:
    """Not beside the bytes of the file that it was loaded from, nor beside what its parser freed."""
    layers, width = 40, 512
    rng = np.random.default_rng(0)  # equal weights would be kept once
    weights = [
        numpy_helper.from_array(rng.standard_normal((width, width), np.float32), f"w{place}") for place in range(layers)
    ]
    nodes = [helper.make_node("MatMul", [f"x{n}", f"w{n}"], [f"x{n + 1}"]) for n in range(layers)]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width]) for name in ("x0", f"x{layers}")]
    model = helper.make_model(
        helper.make_graph(nodes, "layers", [ports[0]], [ports[1]], weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    paths = [tmp_path / "little.onnx", tmp_path / "large.onnx"]
    for path, data in zip(paths, [make_onnx(), model.SerializeToString()], strict=True):
        path.write_bytes(data)
    done = subprocess.run([sys.executable, "-c", WEIGHED, *paths], capture_output=True, text=True, check=True)
    held = int(done.stdout) / (layers * width * width * 4)
    assert 1 <= held < 1.5, f"{held:.2f} times the weights"
