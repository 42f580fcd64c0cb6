"""Versions trained as a new user trains them: the README's command, default settings, a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


class Workplace:
    """A directory, and a registry in it, that the commands of one test session share.

    Args:
        ganzoo: the executable that they mean by that name.
    """

    def __init__(self, directory: Path, ganzoo: Path) -> None:
        self.directory = directory
        self.registry = directory / "registry"
        self.ganzoo = ganzoo
        path = os.pathsep.join([str(ganzoo.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = {**os.environ, "GANZOO_REGISTRY": str(self.registry), "PATH": path}
        self.printed: dict[str, str] = {}

    def run(self, command: str, timeout: float = 600) -> str:
        """Run a shell command that must succeed; returns, and keeps in ``printed``, what a terminal would show."""
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        self.printed[command] = done.stdout
        return done.stdout


@pytest.fixture(scope="session")
def workplace(shortened: Callable[[Path, Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    python = Path(sys.executable)
    return Workplace(tmp_path_factory.mktemp("workplace"), shortened(python.with_name("ganzoo"), python))


@pytest.fixture(scope="session")
def train(workplace: Workplace) -> Callable[[str], str]:
    """Train a model with its default settings, once a session; returns its reference."""
    done: dict[str, str] = {}

    def once(model: str) -> str:
        if model not in done:
            workplace.run(f"ganzoo train --model {model}")
            done[model] = f"{model}:1"
        return done[model]

    return once


@pytest.fixture(scope="session")
def trained_registry(workplace: Workplace) -> Path:
    """Where ``train`` registers."""
    return workplace.registry
