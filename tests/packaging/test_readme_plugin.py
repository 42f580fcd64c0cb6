"""The plugin of README.md, typed in as it stands there: built, installed beside ganzoo, trained, exported, removed."""

import json
import os
import re
import subprocess
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Environment:
    """An empty environment; what ganzoo depends on stands behind its own packages, because torch takes minutes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        venv.create(directory / "venv", symlinks=True)
        paths = {"base": str(directory / "venv"), "platbase": str(directory / "venv")}
        site = Path(sysconfig.get_path("purelib", "venv", paths))
        (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        self.scripts = Path(sysconfig.get_path("scripts", "venv", paths))
        self.python = self.scripts / "python"
        self.variables = {**os.environ, "GANZOO_REGISTRY": str(directory / "registry"), "OMP_NUM_THREADS": "1"}

    def ganzoo(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.scripts / "ganzoo"), *arguments]
        return subprocess.run(
            command, cwd=self.directory, env=self.variables, capture_output=True, text=True, check=False
        )

    def models(self) -> dict[str, str]:
        """Name -> where it comes from."""
        listed = json.loads(self.ganzoo("models", "--json").stdout)
        return {model["name"]: model["provided_by"] for model in listed}


def files_of_the_page() -> dict[str, str]:
    """Path -> content: a path in backticks, and then a block."""
    text = (ROOT / "README.md").read_text("utf-8")
    page = text[text.index("## Write your own") : text.index("## Serving without PyTorch")]
    return dict(re.findall(r"^`([\w./]+)`[^\n]*\n\n```\w+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("softgan")
    for name, content in files_of_the_page().items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(content, "utf-8")
    return directory


@pytest.fixture(scope="module")
def environment(
    source: Path,
    wheel: Path,
    build: Callable[[Path], Path],
    pip: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Environment:
    made = Environment(tmp_path_factory.mktemp("environment"))
    pip(made.python, "install", wheel)
    assert "softgan" not in made.models()
    pip(made.python, "install", build(source))
    return made


def test_it_is_one_page_of_three_files() -> None:
    files = files_of_the_page()
    assert list(files) == ["pyproject.toml", "ganzoo_softgan/__init__.py", "ganzoo_softgan/parts.py"]
    assert sum(len(content.splitlines()) for content in files.values()) <= 100


def test_it_is_installed_and_listed(environment: Environment) -> None:
    assert environment.models()["softgan"] == "ganzoo-softgan 1.0"


def test_it_trains_and_exports(environment: Environment) -> None:
    done = environment.ganzoo("train", "--model", "softgan", "--steps", "20", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "registered  softgan:1" in done.stdout
    assert "gate passed: parity" in done.stderr
    sampled = environment.ganzoo("sample", "softgan", "--seed", "7", "--device", "cpu")
    assert sampled.returncode == 0, sampled.stderr


def test_removed_it_is_gone(environment: Environment, pip: Callable[..., str]) -> None:
    """Last."""
    pip(environment.python, "uninstall", "--yes", "ganzoo-softgan")
    assert "softgan" not in environment.models()
    assert environment.ganzoo("sample", "softgan:1", "--seed", "7", "--device", "cpu").returncode == 0
