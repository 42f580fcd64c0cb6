"""A real server in a process of its own, and the application without one."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from starlette.applications import Starlette

from ganzoo.runtime.card import METADATA_KEY, GeneratorCard
from ganzoo.runtime.generator import ImageGenerator

PETS = ("cat", "<b>&dog", "0")

SERVE = """
import sys
from pathlib import Path
from ganzoo.serving.server import bind, serve
listener = bind("127.0.0.1", 0)
from ganzoo.runtime.generator import ImageGenerator
files = sorted(Path(sys.argv[1]).glob("*.onnx"))
serve({f.stem: ImageGenerator.from_bytes(f.read_bytes(), device="cpu", threads=1) for f in files}, listener)
sys.exit("torch was imported" if "torch" in sys.modules else 0)
"""


def export(name: str, channels: int, class_names: tuple[str, ...] = (), last: str = "Tanh") -> bytes:
    """One matrix, 4 latents, 8 x 8 pixels; a label shifts the latent."""
    rng = np.random.default_rng(1)
    initializers = [
        numpy_helper.from_array(rng.normal(size=(4, channels * 64)).astype(np.float32), "linear"),
        numpy_helper.from_array(np.array([-1, channels, 8, 8]), "shape"),
    ]
    inputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", 4])]
    nodes = []
    if class_names:
        table = rng.normal(size=(len(class_names), 4)).astype(np.float32)
        initializers.append(numpy_helper.from_array(table, "table"))
        inputs.append(helper.make_tensor_value_info("labels", TensorProto.INT64, ["batch"]))
        nodes = [
            helper.make_node("Gather", ["table", "labels"], ["shift"]),
            helper.make_node("Add", ["z", "shift"], ["hidden"]),
        ]
    nodes += [
        helper.make_node("Gemm", ["hidden" if class_names else "z", "linear"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["raw"]),
        helper.make_node(last, ["raw"], ["images"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", channels, 8, 8])
    graph = helper.make_graph(nodes, name, inputs, [images], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    card = GeneratorCard(
        name=name, version=3, latent_dim=4, channels=channels, height=8, width=8, class_names=class_names
    )
    helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    data: bytes = model.SerializeToString()
    return data


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    """ONNX bytes: ``plain`` is grey, ``pets`` labelled RGB, ``deep`` has 2 channels, ``broken`` NaN."""
    return {
        "broken": export("broken", 1, last="Sqrt"),
        "deep": export("deep", 2),
        "pets": export("pets", 3, PETS),
        "plain": export("plain", 1),
    }


@pytest.fixture(scope="session")
def generators(files: dict[str, bytes]) -> dict[str, ImageGenerator]:
    return {name: ImageGenerator.from_bytes(data, device="cpu", threads=1) for name, data in files.items()}


class ServerProcess:
    """``python -c code arguments``, which serves on a port of its own choice and says so on stderr."""

    def __init__(self, code: str, *arguments: object, stdin: int | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.ready_line = self.process.stderr.readline()
        found = re.search(r"at (http://127\.0\.0\.1:(\d+))/", self.ready_line)
        assert found, self.ready_line + self.process.communicate(timeout=20)[1]
        self.url, self.port = found[1], int(found[2])

    def stop(self, number: int) -> tuple[int, str, str]:
        """Send a signal; the exit status and what else was printed."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start() -> Iterator[Callable[..., ServerProcess]]:
    """``start(code, *arguments) -> ServerProcess``, which does not outlive the test."""
    started = []

    def run(*arguments: Any, **options: Any) -> ServerProcess:
        started.append(ServerProcess(*arguments, **options))
        return started[-1]

    yield run
    for server in started:
        server.kill()


@pytest.fixture(scope="session")
def directory(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("generators")
    for name, data in files.items():
        (where / f"{name}.onnx").write_bytes(data)
    return where


@pytest.fixture(scope="session")
def server_code() -> str:
    return SERVE


@pytest.fixture(scope="session")
def client(directory: Path) -> Iterator[httpx.Client]:
    server = ServerProcess(SERVE, directory)
    with httpx.Client(base_url=server.url, timeout=20) as session:
        yield session
    server.kill()


@pytest.fixture(scope="session")
def connect() -> Callable[[Starlette], httpx.AsyncClient]:
    """``connect(app)``: an asynchronous client of the application without a server."""

    def client(app: Starlette) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://test")

    return client
