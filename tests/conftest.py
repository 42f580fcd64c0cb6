"""Every test has a registry of its own, and torch on one thread: two cores are shared, and results must not vary."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# Property tests are scaled down by default. In full, with their counts:
#     tox -e tests -- --hypothesis-profile full --hypothesis-show-statistics
# Deadlines are off: what a busy machine does to an example's time is no fault of ours.
settings.register_profile("quick", max_examples=50, deadline=None)
settings.register_profile("full", max_examples=2000, deadline=None)
settings.load_profile("quick")

FIGURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked ``gpu`` are skipped where there is no CUDA device, and nowhere else: there they must pass."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session")
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """``tell(line)``: a figure that the run ends with, passed or not: counts, shares."""
    return request.config.stash[FIGURES].append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := config.stash[FIGURES]:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(autouse=True)
def own_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "registry"
    monkeypatch.setenv("GANZOO_REGISTRY", str(root))
    return root
