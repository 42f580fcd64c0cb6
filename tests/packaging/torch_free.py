"""A server's environment: requirements-serve.txt, ganzoo, and no PyTorch. Run by `tox -e serve` alone.

``petite.onnx`` was made by ``ganzoo train --model conditional --name petite --steps 30 --set options.width=2
--set options.latent_dim=4``; its images matter to nobody.
"""

import importlib.util
import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

import ganzoo
from ganzoo_registry import Registry

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_name("petite.onnx")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ganzoo", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it would be copied from where it was trained."""
    store = Registry(tmp_path_factory.mktemp("registry"))
    version = store.register("petite", {}, {"config": {"model": "conditional"}})
    store.attach(version, "onnx", FILE)
    store.alias("petite:1", "champion")
    return store.root


@pytest.fixture(scope="module")
def server(registry: Path) -> Iterator[tuple[str, int]]:
    """``ganzoo serve`` in a process of its own: its URL and its id."""
    reference = ["petite@champion", "--registry", str(registry), "--port", "0", "--device", "cpu"]
    process = subprocess.Popen([sys.executable, "-m", "ganzoo", "serve", *reference], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    with process:
        ready = process.stderr.readline()
        found = re.search(r"http://[\d.:]+", ready)
        if not found:
            pytest.fail(ready + process.communicate()[1])
        yield found[0], process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_torch_is_not_here() -> None:
    absent = ["torch", "onnx", "onnxscript", "sklearn", "scipy", "msgspec", "safetensors"]
    assert [name for name in absent if importlib.util.find_spec(name)] == []
    assert Path(ganzoo.__file__).is_relative_to(sys.prefix)


@pytest.mark.parametrize("command", ["models", "plugins", "doctor"])
def test_light_commands(command: str, registry: Path) -> None:
    done = run(command)
    assert done.returncode == 0, done.stderr


def test_the_registry_is_there(registry: Path) -> None:
    done = run("registry", "ls", "--json", "--registry", registry)
    assert [(version["version"], version["aliases"]) for version in json.loads(done.stdout)] == [
        ("petite:1", ["champion"])
    ]


def test_training_says_what_is_missing(tmp_path: Path) -> None:
    done = run("train", "--model", "wgan-gp", "--registry", tmp_path / "registry", "--runs", tmp_path / "runs")
    assert done.returncode == 6
    message, hint = done.stderr.splitlines()
    told = re.fullmatch("Error: this needs packages that are not installed: (.+)", message)
    assert told is not None, message
    assert {"torch", "onnx", "onnxscript", "sklearn", "scipy", "msgspec", "safetensors", "tomli_w"} <= {
        *told[1].split(", ")
    }
    assert hint.startswith('Hint: pip install "')
    assert '"torch>=' in hint


def test_the_file_and_the_name_give_the_same_images(registry: Path, tmp_path: Path) -> None:
    for reference in (FILE, "petite:1"):
        output = tmp_path / f"{Path(reference).suffix or 'name'}.npy"
        done = run("sample", reference, "-n", "40", "--seed", "7", "--label", "3", "-o", output, "--registry", registry)
        assert done.returncode == 0, done.stderr
    named, from_file = (np.load(tmp_path / name) for name in ("name.npy", ".onnx.npy"))
    assert named.shape == (40, 8, 8, 1)
    assert np.array_equal(named, from_file)
    assert np.array_equal(named, ganzoo.load(str(FILE), device="cpu").sample(40, seed=7, label="3"))


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    done = run("sample", FILE, "--label", "all", "--per-class", "2", "--seed", "7", "-o", tmp_path / "classes")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "classes").glob("*/*.png"))) == 2 * len(ganzoo.load(str(FILE)).card.class_names)


def test_a_file_that_must_not_be_run_is_refused_without_the_package_onnx(tmp_path: Path) -> None:
    (tmp_path / "loop.onnx").write_bytes(FILE.read_bytes().replace(b"Tanh", b"Loop"))
    done = run("sample", tmp_path / "loop.onnx", "-n", "1", "-o", tmp_path / "x.png")
    assert done.returncode == 4
    assert done.stderr.startswith(
        f"Error: {tmp_path / 'loop.onnx'} must not be run: it has loops or branches: 'Loop'\n"
    )


def test_the_server_sends_the_images_of_the_library(server: tuple[str, int]) -> None:
    url = f"{server[0]}/v1/models/petite/sample?n=16&seed=7"
    with urlopen(f"{url}&format=npy", timeout=30) as answer:
        served = np.load(io.BytesIO(answer.read()))
    assert np.array_equal(served, ganzoo.load(str(FILE), device="cpu").sample(16, seed=7))
    with urlopen(url, timeout=30) as answer, Image.open(io.BytesIO(answer.read())) as picture:
        assert picture.format == "PNG"


def test_what_it_costs(server: tuple[str, int], capsys: pytest.CaptureFixture[str]) -> None:
    """Prints the size of what was installed and the memory of a server that has served; PyTorch is not in it."""
    process = Path(f"/proc/{server[1]}")
    with urlopen(f"{server[0]}/v1/models/petite/sample?n=256&seed=7", timeout=30) as answer:
        answer.read()
    assert "libtorch" not in (process / "maps").read_text()
    status = (process / "status").read_text()
    memory = {name: int(kilobytes) for name, kilobytes in re.findall(r"(\w+):\s+(\d+) kB", status)}
    pinned = re.findall(r"^([\w-]+)==", (ROOT / "requirements-serve.txt").read_text("utf-8"), re.MULTILINE)
    sizes = {name: _installed_bytes(name) for name in ["ganzoo", *pinned]}
    largest = sorted(sizes, key=lambda name: -sizes[name])[:4]
    report = [
        f"the environment of a server: {sum(sizes.values()) / 1e6:.0f} MB in {len(sizes)} distributions",
        "  largest: " + ", ".join(f"{name} {sizes[name] / 1e6:.0f} MB" for name in largest),
        f"  memory after serving: {memory['VmRSS'] / 1e3:.0f} MB, at most {memory['VmHWM'] / 1e3:.0f} MB",
    ]
    with capsys.disabled():
        print("", *report, sep="\n")


def _installed_bytes(name: str) -> int:
    """0 for what this platform does without."""
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        return 0
    return sum(path.stat().st_size for path in (Path(file.locate()) for file in files) if path.is_file())
