"""Nothing that ONNX Runtime would leave in a home, and send: its wheels for Linux do when they are imported."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / "packaging" / "petite.onnx"

STRANGER = """
from ganzoo import hookimpl
import onnxruntime

@hookimpl
def ganzoo_specs():
    return []
"""
"""A plugin that imports it before ganzoo does."""


@pytest.fixture
def home(tmp_path: Path, own_registry: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one, for processes in which nobody has said yet that nothing is to be sent."""
    for name in ("ORT_DISABLE_TELEMETRY", "CI", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / "home"
    place.mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.chdir(tmp_path / "work")
    return place


def ganzoo(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ganzoo", *arguments]


@pytest.mark.parametrize(
    "command",
    [
        f"sample {FILE} -n 4 --device cpu",
        f"eval {FILE} --data digits -n 20 --seeds 1 --device cpu",
        "doctor",
    ],
)
def test_a_command_leaves_nothing(command: str, home: Path) -> None:
    subprocess.run(ganzoo(*command.split()), check=True, capture_output=True)
    assert list(home.iterdir()) == []


def test_a_training_leaves_nothing(home: Path, forking: Callable[[Path], Path]) -> None:
    """Nor does the export at its end, and the process of its own in which the file is tried."""
    command = ganzoo("train", "--model", "vanilla", "--steps", "2", "--device", "cpu")
    subprocess.run([str(forking(Path(sys.executable))), *command[1:]], check=True, capture_output=True)
    assert list(Path("runs").rglob("*.onnx"))
    assert list(home.iterdir()) == []


def test_a_server_leaves_nothing(home: Path) -> None:
    command = ganzoo("serve", str(FILE), "--port", "0", "--device", "cpu")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        assert re.search("http://", server.stderr.readline())
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    assert list(home.iterdir()) == []


def test_a_plugin_that_imports_it_first_leaves_nothing(home: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    information = site / "stranger-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[ganzoo.v1]\nstranger = stranger\n")
    (site / "stranger.py").write_text(STRANGER)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    listed = subprocess.run(ganzoo("plugins"), env=environment, check=True, capture_output=True, text=True)
    assert re.search(r"stranger .*active", listed.stdout)
    assert list(home.iterdir()) == []
