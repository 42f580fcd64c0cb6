"""``ganzoo sample`` and ``ganzoo serve`` on a small ONNX file."""

import io
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from ganzoo.cli import main
from ganzoo.images import GAP, MIN_TILE
from ganzoo.progress.bars import ProgressBar
from ganzoo.runtime.card import METADATA_KEY, GeneratorCard
from ganzoo_registry import Registry

LATENT, SIZE = 3, 8


def onnx_bytes(name: str = "tiny") -> bytes:
    """images = tanh(z W), W fixed."""
    weights = np.random.default_rng(0).normal(size=(LATENT, SIZE * SIZE)).astype(np.float32)
    constants = [
        numpy_helper.from_array(weights, "W"),
        numpy_helper.from_array(np.array([-1, 1, SIZE, SIZE]), "shape"),
    ]
    nodes = [
        helper.make_node("MatMul", ["z", "W"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["raw"]),
        helper.make_node("Tanh", ["raw"], ["images"]),
    ]
    z = helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", LATENT])
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 1, SIZE, SIZE])
    graph = helper.make_graph(nodes, "tiny", [z], [images], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    card = GeneratorCard(name=name, latent_dim=LATENT, channels=1, height=SIZE, width=SIZE)
    helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    data: bytes = model.SerializeToString()
    return data


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "tiny.onnx").write_bytes(onnx_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANZOO_REGISTRY", str(tmp_path / "registry"))
    return "tiny.onnx"


def sample(*arguments: str) -> int:
    return main(["sample", "--device", "cpu", *arguments])


def test_a_grid_in_the_working_directory(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert sample(file, "-n", "4", "--seed", "7") == 0
    assert capsys.readouterr() == ("samples.png\n", "Seed 7.\n")
    with Image.open("samples.png") as image:
        assert image.size == (2 * MIN_TILE + GAP, 2 * MIN_TILE + GAP)


def test_an_array(file: str) -> None:
    assert sample(file, "-n", "5", "--seed", "7", "-o", "a.npy") == 0
    assert sample(file, "-n", "2", "--seed", "7", "--start", "3", "-o", "b.npy") == 0
    whole, part = np.load("a.npy"), np.load("b.npy")
    assert (whole.shape, whole.dtype) == ((5, SIZE, SIZE, 1), np.uint8)
    np.testing.assert_array_equal(whole[3:], part)


def test_suffixes_in_any_case(file: str) -> None:
    assert sample(file, "-n", "2", "--seed", "7", "-o", "X.PNG") == 0
    assert sample(file, "-n", "2", "--seed", "7", "-o", "X.Npy") == 0
    with Image.open("X.PNG") as image:
        assert image.format == "PNG"
    assert np.load("X.Npy").shape == (2, SIZE, SIZE, 1)


def test_a_grid_to_a_pipe(file: str) -> None:
    """And nothing else on stdout; a file called ``-`` can be written all the same."""
    command = [sys.executable, "-m", "ganzoo", "sample", file, "-n", "4", "--seed", "1"]
    piped = subprocess.run([*command, "-o", "-"], capture_output=True, check=True)
    assert sample(file, "-n", "4", "--seed", "1", "-o", "grid.png") == 0
    assert piped.stdout == Path("grid.png").read_bytes()
    assert piped.stderr == b"Seed 1.\n"
    assert sample(file, "-n", "1", "--seed", "1", "-o", "./-") == 0
    assert [path.name for path in Path("-").iterdir()] == ["000000.png"]


def test_bytes_are_refused_on_a_terminal(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout", type("Terminal", (io.StringIO,), {"isatty": lambda self: True})())
    assert sample(file, "-o", "-") == 2
    assert sample(file, "-o", "-", "--each") == 2
    assert "Error: these are bytes, and stdout is a terminal\n" in capsys.readouterr().err


@pytest.mark.parametrize(("output", "options"), [("out", []), ("out.d", ["--each"]), ("deep/er", [])])
def test_a_picture_each(file: str, output: str, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert sample(file, "-n", "3", "--seed", "7", "--start", "2", "-o", output, *options) == 0
    assert capsys.readouterr().out == f"{output}\n"
    pictures = sorted(Path(output).iterdir())
    assert [picture.name for picture in pictures] == ["000002.png", "000003.png", "000004.png"]
    assert sample(file, "-n", "5", "--seed", "7", "-o", "a.npy") == 0
    pixels = np.asarray(Image.open(io.BytesIO(pictures[0].read_bytes())))
    np.testing.assert_array_equal(pixels, np.load("a.npy")[2, :, :, 0])


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_the_seed_that_is_shown_repeats_the_images(
    file: str, quiet: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One that was drawn is shown however quiet the command is to be."""
    assert sample(file, "-n", "2", "-o", "a.npy", *quiet) == 0
    seed = capsys.readouterr().err.removeprefix("Seed ").removesuffix(".\n")
    assert sample(file, "-n", "2", "-o", "b.npy", "--seed", seed) == 0
    assert Path("a.npy").read_bytes() == Path("b.npy").read_bytes()


def test_a_registered_version_is_as_good_as_a_file(file: str, tmp_path: Path) -> None:
    store = Registry(tmp_path / "registry")
    store.attach(store.register("tiny", {"generator": b"weights"}, {}), "onnx", onnx_bytes())
    assert sample(file, "-n", "2", "--seed", "1", "-o", "a.npy") == 0
    assert sample("tiny:1", "-n", "2", "--seed", "1", "-o", "b.npy") == 0
    assert sample("tiny", "-n", "2", "--seed", "1", "-o", "c.npy", "--registry", str(store.root)) == 0
    assert Path("a.npy").read_bytes() == Path("b.npy").read_bytes() == Path("c.npy").read_bytes()


def test_any_number_of_images_and_a_seed_that_is_kept(
    file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than a grid may have; without ``--seed`` it goes on with the seed that it had."""
    monkeypatch.setattr("ganzoo.samples.sets.Array.step", 50_000)

    def stopped(self: ProgressBar, done: int, total: int) -> None:
        if done > 50_000:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ProgressBar, "__call__", stopped)
        assert sample(file, "-n", "70000", "-o", "a.npy") == 130
    assert capsys.readouterr().err.startswith("Stopped behind image 50,000 of 70,000; the same command goes on there.")
    assert sample(file, "-n", "70000", "-o", "a.npy") == 0
    going, said = capsys.readouterr().err.splitlines()
    assert going == "Going on behind image 50,000 of 70,000."
    assert sample(file, "-n", "70000", "-o", "b.npy", "--seed", said.removeprefix("Seed ").removesuffix(".")) == 0
    assert Path("a.npy").read_bytes() == Path("b.npy").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["nowhere.onnx"], 3, "nowhere.onnx: No such file or directory"),
        (["nothing"], 3, None),
        (["tiny.onnx", "--label", "3"], 2, "tiny takes no labels"),
        (["tiny.onnx", "-n", "100000"], 2, "n must be a whole number from 1 to 65536, not 100000"),
        (["tiny.onnx", "-o", "x.gif"], 2, "cannot write samples to x.gif"),
        (["tiny.onnx", "-o", "x.npz", "--shards", "tar"], 2, "--shards makes several files, and x.npz is one"),
        (
            ["tiny.onnx", "-o", "x", "--shards", "tar", "--each"],
            2,
            "--each writes pictures, and --shards writes shards",
        ),
        (["tiny.onnx", "-o", "-", "--shards", "tar"], 2, "--shards makes several files"),
        (["tiny.onnx", "-o", "no/such/x.npz"], 1, "cannot write no/such/x.npz: the directory no/such does not exist"),
        (
            ["tiny.onnx", "-o", "x.npy", "--start", str(2**64 - 1)],
            2,
            f"start must be a whole number from 0 to {2**64 - 64}, not {2**64 - 1}",
        ),
        (
            ["tiny.onnx", "-o", "no/such/x.png"],
            1,
            "cannot write no/such/x.png: the directory no/such does not exist",
        ),
        (["tiny.onnx", "--steps", "5"], 2, "--steps is for --film alone"),
        (["tiny.onnx", "--each", "-o", "tiny.onnx"], 1, "tiny.onnx is a file, not a directory"),
    ],
)
def test_bad_input(
    file: str, arguments: list[str], code: int, error: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path().rglob("*"))
    assert sample(*arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    first, *rest = err.splitlines()
    assert first.startswith("Error: ")
    assert error is None or first == f"Error: {error}"
    assert all(line.startswith("Hint: ") for line in rest)
    assert sorted(Path().rglob("*")) == before


def test_a_version_that_was_not_exported(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Registry(tmp_path / "registry").register("bare", {"generator": b"weights"}, {})
    assert sample("bare") == 3
    assert capsys.readouterr().err == "Error: bare:1 has no ONNX file yet\nHint: ganzoo export bare:1\n"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would have been served: the server itself has its own tests."""
    calls: list[Any] = []
    monkeypatch.setattr(
        "ganzoo.serving.server.serve",
        lambda generators, listener, **_: calls.append((list(generators), listener.getsockname())),
    )
    return calls


def serve(*arguments: str) -> int:
    return main(["serve", "--device", "cpu", "--port", "0", *arguments])


def test_serve_by_the_models_name(file: str, served: list[Any]) -> None:
    Path("second.onnx").write_bytes(onnx_bytes("second"))
    assert serve(file, "second.onnx") == 0
    ((names, (host, port)),) = served
    assert names == ["tiny", "second"]
    assert host == "127.0.0.1"
    assert port > 0


def test_two_versions_of_one_model_are_told_apart(
    file: str, served: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(reference: str, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(card=SimpleNamespace(name="net", version=int(reference[-1])))

    monkeypatch.setattr("ganzoo.api.load", load)
    assert serve("net:1", "net:2") == 0
    assert served[0][0] == ["net:1", "net:2"]


def test_the_same_version_twice(file: str, served: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(file, file) == 2
    assert capsys.readouterr().err == "Error: tiny is given twice\nHint: give each once\n"
    assert served == []


def test_a_port_in_use(file: str, served: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert serve("not-looked-at", "--port", port) == 1
    assert capsys.readouterr().err == (
        f"Error: port {port} on 127.0.0.1 is in use\nHint: choose another, or any free one: --port 0\n"
    )
    assert served == []


def test_sampling_and_the_server_load_no_torch(file: str) -> None:
    script = (
        "import sys, ganzoo.serving.server\nfrom ganzoo.cli import main\n"
        f"assert main(['sample', {file!r}, '-n', '1', '--device', 'cpu']) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
