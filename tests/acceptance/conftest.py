"""Versions trained as a new user trains them: the README's command, default settings, a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


class Workplace:
    """A directory, and a registry in it, that the commands of one test session share."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.registry = directory / "registry"
        scripts = str(Path(sys.executable).parent)
        path = os.pathsep.join([scripts, os.environ["PATH"]])
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
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    return Workplace(tmp_path_factory.mktemp("workplace"))


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
