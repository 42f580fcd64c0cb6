"""The pages that messages name: each exists, and is named by its address, because docs/ is not installed."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from ganzoo.errors import page

ROOT = Path(__file__).parents[1]
SOURCES = [path for part in ("ganzoo", "plugins", "registry") for path in (ROOT / part).rglob("*.py")]
DOCUMENTATION = "https://github.com/ganzoo/ganzoo/blob/main/docs"


def test_the_metadata_say_where_the_documentation_is(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    assert urls["Documentation"] == DOCUMENTATION
    installed = {"Project-URL": [f"{name}, {url}" for name, url in urls.items()]}

    class Metadata:
        def get_all(self, name: str) -> list[str]:
            return installed[name]

    monkeypatch.setattr("importlib.metadata.metadata", lambda name: Metadata())
    assert page("plugins.md") == f"{DOCUMENTATION}/plugins.md"


def test_without_metadata_it_is_the_path_in_the_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.metadata", missing)
    assert page("plugins.md") == "docs/plugins.md"


def test_every_page_that_is_named_exists() -> None:
    named = {name for path in SOURCES for name in re.findall(r"page\([\"'](\S+?\.md)[\"']\)", path.read_text("utf-8"))}
    assert named >= {"evaluation.md", "plugins.md"}
    assert all((ROOT / "docs" / name).is_file() for name in named)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_message_names_a_path_that_is_not_installed(path: Path) -> None:
    """Docstrings may: whoever reads them has the sources."""
    text = re.sub(r'"""[\s\S]*?"""', "", path.read_text("utf-8"))
    assert not re.search(r"\bdocs/\w+\.md", text)
