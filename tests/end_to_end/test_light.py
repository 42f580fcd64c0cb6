"""PyTorch stays out of every command that does not train or export, with a real version in the registry."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from ganzoo_registry import Registry

FILE = Path(__file__).parents[1] / "packaging" / "petite.onnx"

RUN = """
import sys
from ganzoo.cli import main
code = main(sys.argv[1:])
sys.exit(code or ("torch is loaded" if "torch" in sys.modules else 0))
"""


@pytest.fixture
def registry(own_registry: Path) -> Path:
    store = Registry(own_registry)
    store.attach(store.register("petite", {}, {"config": {}}), "onnx", FILE)
    return own_registry


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "models",
        "models show wgan-gp",
        "plugins",
        "registry ls",
        "registry show petite:1",
        "registry ls --sort fd",
        "registry alias petite:1 champion",
        "data ls",
        "data show digits",
        "data pack FOLDER packed.npy",
        "eval petite --data digits -n 20 --seeds 2",
        "eval FILE --data digits -n 20 --seeds 1 -o figures.svg",
        "sample petite -n 4 --seed 7 -o grid.png --device cpu",
        "sample FILE -n 4 --seed 7 -o grid.npy --device cpu",
    ],
)
def test_a_command_without_torch(command: str, registry: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "photos" / "a.png")
    arguments = [{"FILE": str(FILE), "FOLDER": "photos"}.get(word, word) for word in command.split()]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def server(registry: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    command = [sys.executable, "-c", RUN, "serve", "petite", "--port", "0", "--device", "cpu"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        ready = process.stderr.readline()
        found = re.search(r"http://[\d.:]+", ready)
        if not found:
            pytest.fail(ready + process.communicate()[1])
        yield found[0], process
        process.kill()


def test_a_server_without_torch(server: tuple[str, "subprocess.Popen[str]"]) -> None:
    url, process = server
    for path in ("", "healthz", "v1/models", "v1/models/petite/sample?n=40&label=3", "v1/models/petite/sample?n=0"):
        assert httpx.get(f"{url}/{path}", timeout=30).status_code in (200, 422)
    maps = Path(f"/proc/{process.pid}/maps")
    assert not maps.exists() or "libtorch" not in maps.read_text()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
