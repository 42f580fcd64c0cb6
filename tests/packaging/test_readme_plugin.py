"""The plugin of README.md, typed in as it stands there: built, installed beside ganzoo, trained, exported, removed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


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


@pytest.fixture(scope="module", autouse=True)
def _installed(place: Any, source: Path, pip: Callable[..., str]) -> None:
    assert "softgan" not in place.models()
    pip(place.python, "install", source)


def test_it_is_one_page_of_three_files() -> None:
    files = files_of_the_page()
    assert list(files) == ["pyproject.toml", "ganzoo_softgan/__init__.py", "ganzoo_softgan/parts.py"]
    assert sum(len(content.splitlines()) for content in files.values()) <= 100


def test_it_is_installed_and_listed(place: Any) -> None:
    assert "softgan" in place.models()
    assert "ganzoo-softgan 1.0" in place.ganzoo("models")


def test_it_trains_and_exports(place: Any) -> None:
    done = place.run(place.command, "train", "--model", "softgan", "--steps", "20", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "registered  softgan:1" in done.stdout
    assert "gate passed: parity" in done.stderr
    place.ganzoo("sample", "softgan", "--seed", "7", "--device", "cpu")


def test_removed_it_is_gone(place: Any, pip: Callable[..., str]) -> None:
    """Last."""
    pip(place.python, "uninstall", "--yes", "ganzoo-softgan")
    assert "softgan" not in place.models()
    place.ganzoo("sample", "softgan:1", "--seed", "7", "--device", "cpu")
