"""Every test has a registry of its own, and torch on one thread: two cores are shared, and results must not vary."""

from pathlib import Path

import pytest
from hypothesis import settings

# Property tests are scaled down by default. In full, with their counts:
#     tox -e tests -- --hypothesis-profile full --hypothesis-show-statistics
# Deadlines are off: what a busy machine does to an example's time is no fault of ours.
settings.register_profile("quick", max_examples=50, deadline=None)
settings.register_profile("full", max_examples=2000, deadline=None)
settings.load_profile("quick")


@pytest.fixture(autouse=True)
def own_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "registry"
    monkeypatch.setenv("GANZOO_REGISTRY", str(root))
    return root
