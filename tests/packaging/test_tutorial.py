"""docs/plugins.md, followed in an environment of its own: a plugin from nothing to a wheel, and what else is shown."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tour import Tour

SECONDS = 300
"""How long all of it may take on two cores that others share; alone it takes a fifth of that."""

PIP = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_QUIET": "1"}
"""Without a network, and with what there is to build with; a 0 is pip's way to say that isolation is off."""


@pytest.fixture
def tour(place: Any, tmp_path: Path) -> Iterator[Tour]:
    path = os.pathsep.join([str(place.command.parent), str(place.python.parent), os.environ["PATH"]])
    registry = {"GANZOO_REGISTRY": str(tmp_path / "registry")}
    follower = Tour(tmp_path, {**place.environment, **registry, **PIP, "PATH": path})
    yield follower
    follower.stop()


def test_a_plugin_from_nothing_to_a_wheel(
    place: Any, tour: Tour, tell: Callable[[str], None], pip: Callable[..., str]
) -> None:
    begin = time.perf_counter()
    try:
        tour.follow("docs/plugins.md")
    finally:
        if "driftgan" in place.models():
            pip(place.python, "uninstall", "--yes", "ganzoo-driftgan")
    seconds = time.perf_counter() - begin
    tell(f"the tutorial of docs/plugins.md: {seconds:.0f} s")
    assert seconds < SECONDS
    served, sampled = (tour.directory / name for name in ("served.png", "samples.png"))
    assert served.read_bytes() == sampled.read_bytes() == (tour.directory / "after.png").read_bytes()
