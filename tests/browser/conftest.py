"""Chromium, and every page that ganzoo makes of two small trainings: `tox -e browser`."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.register_assert_rewrite("rendered")

NAMES = ("chromium", "chromium-browser", "google-chrome")

TRAINING = "--data digits --size 8 --steps 300 --eval-every 100 --set report_every=20 --set preview_every=50"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Playwright's ``Browser``: the system's Chromium, without a window."""
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip(f"needs a browser: none of {', '.join(NAMES)} is on PATH")
    # Chromium's sandbox refuses root. The pages are ours, and what they may load is on this machine.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield chromium
        chromium.close()


class Studio:
    """A directory with a registry and runs, and the command line in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {**os.environ, "GANZOO_REGISTRY": str(directory / "registry")}

    def ganzoo(self, command: str) -> str:
        """Run a command that must succeed; returns what it printed."""
        words = [sys.executable, "-m", "ganzoo", *command.split()]
        done = subprocess.run(words, cwd=self.directory, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def serving(self, *references: str) -> Iterator[str]:
        """The address of ``ganzoo serve`` on a free port, while it runs."""
        words = [sys.executable, "-m", "ganzoo", "serve", *references, "--port", "0", "--device", "cpu"]
        with subprocess.Popen(
            words, cwd=self.directory, env=self.environment, stderr=subprocess.PIPE, text=True
        ) as server:
            assert server.stderr is not None
            line = server.stderr.readline()
            found = re.search(r"at (http://\S+/)", line)
            try:
                assert found, line + server.stderr.read()
                yield found[1]
            finally:
                server.terminate()


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """Two runs and their versions: ``plain``, and ``classes``, which takes labels; the page of both together."""
    place = Studio(tmp_path_factory.mktemp("studio"))
    place.ganzoo(f"train --model wgan-gp --name plain {TRAINING}")
    place.ganzoo(f"train --model conditional --name classes {TRAINING}")
    place.ganzoo("report plain/1 classes/1 -o together.html")
    return place


@pytest.fixture(scope="session")
def pages(studio: Studio) -> Iterator[dict[str, str]]:
    """Every page that ganzoo makes: name -> address."""
    reports = {
        "run": "runs/plain/1/report.html",
        "conditional": "runs/classes/1/report.html",
        "together": "together.html",
    }
    with studio.serving("plain", "classes") as address:
        yield {name: (studio.directory / path).as_uri() for name, path in reports.items()} | {"server": address}
