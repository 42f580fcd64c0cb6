"""Distributions built from the source tree, without a network."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

OFFLINE = ("--disable-pip-version-check", "--quiet", "--no-index", "--no-deps")


def run(*command: str | Path) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """``build(source)``: the wheel of a source tree or of an sdist."""

    def wheel(source: Path) -> Path:
        out = tmp_path_factory.mktemp("wheel")
        run(sys.executable, "-m", "pip", "wheel", *OFFLINE, "--no-build-isolation", "-w", out, source)
        (built,) = out.glob("*.whl")
        return built

    return wheel


@pytest.fixture(scope="session")
def wheel(build: Callable[[Path], Path]) -> Path:
    """ganzoo's."""
    return build(ROOT)


@pytest.fixture(scope="session")
def pip() -> Callable[..., str]:
    """``pip(python, command, *arguments)``: this environment's pip at work in another, which need not have one."""

    def act(python: Path, command: str, *arguments: str | Path) -> str:
        offline = OFFLINE if command == "install" else OFFLINE[:2]
        return run(sys.executable, "-m", "pip", "--python", python, command, *offline, *arguments)

    return act
