"""Chromium, and every page that ganzoo makes of two small trainings: `tox -e browser`."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from typing import Any

import pytest

import ganzoo.web

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
    def serving(self, *references: str, environment: Mapping[str, str] = MappingProxyType({})) -> Iterator[str]:
        """The address of ``ganzoo serve`` on a free port, while it runs."""
        words = [sys.executable, "-m", "ganzoo", "serve", *references, "--port", "0", "--device", "cpu"]
        with subprocess.Popen(
            words, cwd=self.directory, env={**self.environment, **environment}, stderr=subprocess.PIPE, text=True
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


class Sites:
    """What ``ganzoo export --web`` writes of each version, on a static host."""

    def __init__(self, place: Studio, runtime: str, address: str) -> None:
        self._studio, self._runtime, self.root = place, runtime, address

    def directory(self, name: str, registry: Path | None = None, folder: str = "") -> Path:
        """The folder of a model, which is made once."""
        place = self._studio.directory / "sites" / (folder or name)
        if not place.exists():
            kept = registry or self._studio.directory / "registry"
            self._studio.ganzoo(f"export {name} --web {place} --ort-web {self._runtime} --registry {kept}")
        return place

    def address(self, name: str) -> str:
        """Where its page is: below a path, as on many hosts."""
        return f"{self.root}/sites/{self.directory(name).name}/"


@pytest.fixture(scope="session")
def sites(studio: Studio) -> Iterator[Sites]:
    runtime = os.environ.get("ORT_WEB", "")
    if not Path(runtime).is_file():
        pytest.skip("needs what `npm pack onnxruntime-web` makes; ORT_WEB says where it is")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=studio.directory)) as host:
        Thread(target=host.serve_forever, daemon=True).start()
        yield Sites(studio, runtime, f"http://127.0.0.1:{host.server_port}")
        host.shutdown()


@pytest.fixture(scope="session")
def node() -> Callable[[Any], Any]:
    """``node(request)``: the answer of tests/shared/generator.mjs."""
    executable = shutil.which("node")
    if executable is None:
        pytest.skip("needs Node: none is on PATH")
    program = Path(__file__).parents[1] / "shared" / "generator.mjs"
    words = [executable, str(program), str(Path(ganzoo.web.__file__).parent)]

    def ask(request: Any) -> Any:
        done = subprocess.run(words, input=json.dumps(request), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


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
