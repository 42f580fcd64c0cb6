"""A plugin that writes tricks of well-known GANs in the contract's own words, installed for each test."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganzoo.zoo import names

SITE = Path(__file__).parent / "site"


@pytest.fixture
def tricks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The plugin on ``sys.path``, also of child processes; returns where it is."""
    monkeypatch.syspath_prepend(SITE)
    monkeypatch.setenv("PYTHONPATH", str(SITE))
    importlib.invalidate_caches()
    names.zoo.cache_clear()
    yield SITE
    names.zoo.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "tricks"]:
        del sys.modules[name]
