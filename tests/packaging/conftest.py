"""Distributions built from the source tree, and an environment to install them in, without a network."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
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
        offline = (*OFFLINE, "--no-build-isolation") if command == "install" else OFFLINE[:2]
        return run(sys.executable, "-m", "pip", "--python", python, command, *offline, *arguments)

    return act


class Place:
    """A clean environment with ganzoo's wheel in it, a directory to work in, and a registry."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        venv.create(directory / "venv", symlinks=True)
        scripts = directory / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
        self.python = scripts / "python"
        self.command = scripts / "ganzoo"
        self.environment = {**os.environ, "GANZOO_REGISTRY": str(directory / "registry")}

    def borrow_dependencies(self) -> None:
        """Look for what is not here in the environment of the tests: installing torch again would take minutes.

        That environment's ganzoo stands behind this one's own, so install ganzoo first: pip would find it there.
        """
        paths = {"base": str(self.directory / "venv"), "platbase": str(self.directory / "venv")}
        site = Path(sysconfig.get_path("purelib", "venv", paths))
        (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, command)),
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def ganzoo(self, *arguments: str | Path) -> str:
        done = self.run(self.command, *arguments)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def check(self, *arguments: str) -> list[dict[str, str]]:
        """What ``ganzoo plugins check`` found, and none of it a failure."""
        done = self.run(self.command, "plugins", "check", *arguments, "--json")
        found = [result for plugin in json.loads(done.stdout) for result in plugin["results"]]
        assert [result for result in found if result["outcome"] not in ("pass", "not run")] == []
        assert done.returncode == 0, done.stderr
        return found

    def models(self) -> list[str]:
        return [model["name"] for model in json.loads(self.ganzoo("models", "--json"))]


@pytest.fixture(scope="session")
def place(
    wheel: Path,
    pip: Callable[..., str],
    shortened: Callable[[Path, Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Place:
    """One for the whole run; who installs a plugin takes it away again."""
    made = Place(tmp_path_factory.mktemp("place"))
    pip(made.python, "install", wheel)
    made.borrow_dependencies()
    made.command = shortened(made.command, made.python)
    return made
