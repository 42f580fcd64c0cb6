"""Every test has a registry of its own, and torch on one thread: two cores are shared, and results must not vary."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "registry"
    monkeypatch.setenv("GANZOO_REGISTRY", str(root))
    return root
