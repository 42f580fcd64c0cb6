"""``third_party/`` as somebody else's distribution: installed beside ganzoo, used for everything, and taken away."""

import io
import json
import re
import signal
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).with_name("third_party")


@pytest.fixture(scope="module", autouse=True)
def _installed(place: Any, pip: Callable[..., str]) -> None:
    """The plugin is there, and its model trained for 30 steps."""
    assert "ringgan" not in place.models()
    pip(place.python, "install", SOURCE)
    place.ganzoo("train", "--model", "ringgan", "--steps", "30", "--device", "cpu")


@pytest.fixture
def server(place: Any) -> Iterator[str]:
    """The URL of ``ganzoo serve``."""
    command = [place.command, "serve", "ringgan@champion", "--port", "0", "--device", "cpu"]
    with subprocess.Popen(command, env=place.environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        ready = process.stderr.readline()
        found = re.search(r"http://[\d.:]+", ready)
        if not found:
            pytest.fail(ready + process.communicate()[1])
        yield found[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_the_environment_is_its_own(place: Any) -> None:
    code = "import ganzoo, ganzoo_plugins, ganzoo_ringgan, torch; print(ganzoo.__file__, ganzoo_ringgan.__file__)"
    done = place.run(place.python, "-I", "-c", code)
    assert done.stdout.count(str(place.directory / "venv")) == 2, done.stderr


def test_the_plugin_is_as_small_as_promised() -> None:
    assert len((SOURCE / "ganzoo_ringgan" / "networks.py").read_text().splitlines()) <= 40
    loss = (SOURCE / "ganzoo_ringgan" / "loss.py").read_text()
    assert len(loss[loss.index("class ") :].splitlines()) <= 10


def test_it_is_listed(place: Any) -> None:
    assert "ringgan" in place.models()
    (plugin,) = (
        plugin for plugin in json.loads(place.ganzoo("plugins", "--json")) if plugin["distribution"] == "ganzoo-ringgan"
    )
    assert (plugin["name"], plugin["version"], plugin["state"]) == ("ringgan", "0.3.1", "active")
    assert {(spec["kind"], spec["name"]) for spec in plugin["provides"]} == {
        ("architecture", "ring"),
        ("loss", "absolute"),
        ("model", "ringgan"),
    }


def test_its_loss_serves_a_built_in_architecture(place: Any) -> None:
    plan = place.ganzoo("train", "--model", "dcgan", "--set", "loss=absolute", "--print-config", "--device", "cpu")
    chosen = tomllib.loads(plan)
    assert (chosen["architecture"], chosen["loss"]) == ("dcgan", "ganzoo-ringgan/absolute")


def test_the_registry_records_where_it_came_from(place: Any) -> None:
    shown = json.loads(place.ganzoo("registry", "show", "ringgan:1", "--json"))
    lineage = shown["lineage"]
    assert {"name": "ringgan", "distribution": "ganzoo-ringgan", "version": "0.3.1", "api": "v1"} in lineage["plugins"]
    assert lineage["config"]["architecture"] == "ganzoo-ringgan/ring"
    assert lineage["config"]["loss"] == "ganzoo-ringgan/absolute"
    assert "onnx" in shown["kinds"]


def test_it_exports(place: Any) -> None:
    place.ganzoo("export", "ringgan", "--force", "-o", "ring.onnx")
    place.ganzoo("sample", "ring.onnx", "--seed", "7", "-o", "file.npy", "--device", "cpu")
    place.ganzoo("sample", "ringgan", "--seed", "7", "-o", "name.npy", "--device", "cpu")
    images = np.load(place.directory / "name.npy")
    assert images.shape == (64, 8, 8, 1)
    assert np.array_equal(images, np.load(place.directory / "file.npy"))


def test_it_is_served(place: Any, request: pytest.FixtureRequest) -> None:
    place.ganzoo("registry", "alias", "ringgan", "champion")
    url = f"{request.getfixturevalue('server')}/v1/models/ringgan/sample?n=16&seed=7"
    place.ganzoo("sample", "ringgan", "-n", "16", "--seed", "7", "-o", "here.npy", "--device", "cpu")
    served = httpx.get(f"{url}&format=npy", timeout=30)
    assert served.content == (place.directory / "here.npy").read_bytes()
    with Image.open(io.BytesIO(httpx.get(url, timeout=30).content)) as picture:
        assert picture.format == "PNG"


def test_it_passes_what_every_model_must(place: Any) -> None:
    """The suite's own tests find it because it is installed."""
    done = place.run(
        place.python,
        *("-I", "-m", "pytest", f"--config-file={ROOT / 'pyproject.toml'}", f"--rootdir={ROOT}"),
        *("-p", "no:cacheprovider", "-k", "ringgan", ROOT / "tests" / "end_to_end" / "test_every_model.py"),
    )
    assert done.returncode == 0, done.stdout
    tests = (ROOT / "tests" / "end_to_end" / "test_every_model.py").read_text("utf-8").count("\ndef test_")
    assert f"{tests} passed" in done.stdout


def test_uninstalled_it_is_gone_and_what_it_made_still_samples(place: Any, pip: Callable[..., str]) -> None:
    """Last: nothing of the plugin is left but its version."""
    place.ganzoo("sample", "ringgan:1", "--seed", "7", "-o", "before.npy", "--device", "cpu")
    pip(place.python, "uninstall", "--yes", "ganzoo-ringgan")
    assert place.run(place.python, "-I", "-c", "import ganzoo_ringgan").returncode == 1
    assert "ringgan" not in place.models()
    refused = place.run(place.command, "train", "--model", "ringgan")
    assert refused.returncode == 3
    error, hint = refused.stderr.splitlines()
    assert error == "Error: unknown model 'ringgan'"
    assert hint.startswith("Hint: ")
    place.ganzoo("sample", "ringgan:1", "--seed", "7", "-o", "after.npy", "--device", "cpu")
    assert (place.directory / "after.npy").read_bytes() == (place.directory / "before.npy").read_bytes()
    refused = place.run(place.command, "export", "ringgan:1", "--force", "-o", "again.onnx")
    assert refused.returncode == 3
    assert not (place.directory / "again.onnx").exists()
