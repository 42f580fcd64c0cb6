"""Every test has its own registry and cache, and torch on one thread: workers share the cores, and two threads of each
wait for one another ten times as long as one computes; results must be equal, too."""

import contextlib
import gc
import importlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings

# Property tests are scaled down without --full. Deadlines are off: what a busy machine does to an example's time is no
# fault of ours.
settings.register_profile("quick", max_examples=50, deadline=None)
settings.register_profile("full", max_examples=2000, deadline=None)

MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
"""Bytes that a memory file system has free if the tests work there."""

FIGURES = pytest.StashKey[list[str]]()

SHARED = re.compile(
    r"tests/(packaging|export)/|tests/acceptance/test_quality.*(dcgan|conditional)|tests/(acceptance)/test_[qr]"
)
"""Tests, by their ids, that share what is dear to make across files: an environment, exported files, a training."""

CORE = r"(vanilla|dcgan|wgan-gp|conditional|stylegan2)"
"""Models with which most is tried without ``--full``, too: between them they have what the engine can do."""

SLOW = re.compile(
    rf"""
    test_conformance\[(tracing|two\ ranks|builds)\ of\ \w+\ (?!{CORE}\])  # of losses and optimizers, too
    | test_every_model\.py::.*\[(?!{CORE}[-\]])                           # each other one: tests/plugins
    | test_every_model_builds_with_every_loss_or_says_why_not\[(?!{CORE}-)
    | test_labels_do_not_drown_the_latents\[.*-64-
    | test_executors\.py::.*\[(stylegan2|conditional-bf16)
    | test_it_is_traced_to_the_bit | test_layers\.py::test_traced_is_eager
    | test_quality\.py::.*(dcgan\]|conditional)  # wgan-gp's is the README's
    | test_everything_that_a_page_shows\[docs/
    | test_map\.py::test_a_walk
    | test_tutorial\.py | test_examples\.py::test_all_pass_the_kit | test_every_other_kind_passes
    | in_a_wheel_of_its_own | test_it_passes_what_every_model_must
    """,
    re.VERBOSE,
)
"""Tests, by their ids, that take most of the time and are run with ``--full`` alone."""

DEAR = ("end_to_end", "export", "evaluation", "packaging", "distributed", "acceptance", "training")
"""Folders that take over ten seconds, the dearest last; all others come first."""


def pytest_addoption(parser: pytest.Parser) -> None:
    told = "run what takes long, too, property tests with 2,000 examples each, and as many interruptions more"
    parser.addoption("--full", action="store_true", help=told)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = []
    settings.load_profile("full" if config.getoption("--full") else "quick")
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # of what tests start
    # What is synced as carefully as a registry, and removed after each of thousands of tests, keeps a disk busy.
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    # A job in the background, or one that outlives its terminal, is started with these ignored; tests send them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform != "win32":
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def group(test: str) -> str:
    """What a test, by its id, is run together with by one of several workers: in general its file."""
    shared = SHARED.search(test)
    return shared[shared.lastindex or 0] if shared else test.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Groups in the order of the tests; not by marks, which would change the tests' ids."""
    from xdist.scheduler import LoadScopeScheduling

    config.option.loadscopereorder = False
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = group
    return scheduler


@pytest.hookimpl(trylast=True)  # what -k and -m leave
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is cheap is answered first, but one of several workers begins with the longest group.

    Tests marked ``gpu`` are skipped where there is no CUDA device, and nowhere else: there they must pass.
    """
    several = hasattr(config, "workerinput")

    def turn(item: pytest.Item) -> tuple[bool, int]:
        folder = item.path.parent.name
        longest = several and group(item.nodeid) == "acceptance"
        return not longest, DEAR.index(folder) if folder in DEAR else -1

    items.sort(key=turn)
    if not config.getoption("--full"):
        named = any("::" in str(argument) for argument in config.args)
        _leave_out([item for item in items if SLOW.search(item.nodeid) and not named], items, config)
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def _leave_out(slow: list[pytest.Item], items: list[pytest.Item], config: pytest.Config) -> None:
    """Take out what is slow, unless it is all that was asked for; a test that is named is never taken out."""
    if len(slow) in (0, len(items)):
        return
    left = set(slow)
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=slow)
    if getattr(config, "workerinput", {"workerid": "gw0"})["workerid"] == "gw0":
        config.stash[FIGURES].append(
            f"{len(slow)} of {len(slow) + len(items):,} tests take long: --full runs them, too"
        )


@pytest.fixture(scope="session")
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """``tell(line)``: a figure that the run ends with, passed or not: counts, shares."""
    return request.config.stash[FIGURES].append


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several workers sends its figures home."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = session.config.stash[FIGURES]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[FIGURES] += getattr(node, "workeroutput", {}).get("figures", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := config.stash[FIGURES]:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Put a distribution with one module per plugin on sys.path, as pip would; returns its directory."""
    monkeypatch.delenv("GANZOO_PLUGINS", raising=False)
    monkeypatch.delenv("GANZOO_STRICT_PLUGINS", raising=False)

    def put(
        distribution: str,
        plugins: dict[str, str],
        *,
        version: str = "1.0",
        site: str = "site",
        entry_points: str | None = None,
    ) -> Path:
        directory = tmp_path / site
        information = directory / f"{distribution.replace('-', '_')}-{version}.dist-info"
        information.mkdir(parents=True)
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = ["[ganzoo.v1]"]
        for name, source in plugins.items():
            module = f"{distribution}_{name}".replace("-", "_")
            (directory / f"{module}.py").write_text(source)
            placed.add(module)
            lines.append(f"{name} = {module}")
        text = "\n".join(lines) if entry_points is None else entry_points
        (information / "entry_points.txt").write_text(text)
        if str(directory) not in sys.path:
            monkeypatch.syspath_prepend(directory)
        importlib.invalidate_caches()
        return directory

    placed: set[str] = set()
    before = set(sys.modules)
    yield put
    for name in placed:  # it may be any object by now
        sys.modules.pop(name, None)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def own_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "registry"
    monkeypatch.setenv("GANZOO_REGISTRY", str(root))
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "cache"))
    return root


@pytest.fixture(scope="module", autouse=True)
def _spared() -> None:
    """What libraries keep by now is looked at by no later collection of garbage: that took a tenth of all time."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _one_translation_table() -> Iterator[None]:
    """torch's exporter makes its table of ONNX functions, always the same, for each export anew: in .3 s."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(cache(ONNXRegistry.from_torchlib)))
        yield


FORK_SERVER = Path(__file__).with_name("forkserver.py")
PRELOADED = ("torch._dynamo", "onnxscript", "networkx", "scipy.stats", "scipy.io", "sklearn.datasets")
"""What a training and an export import, and what starts no thread. Nothing of ganzoo, of which there may be several."""


@pytest.fixture(scope="session")
def forking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], Path]]:
    """``forking(python)``: an executable for programs instead of ``python``, which has PyTorch imported already.

    See forkserver.py. Where a fork is not to be relied upon, as with CUDA, it is ``python`` itself.
    """
    with contextlib.ExitStack() as servers:

        @cache
        def executable(python: Path) -> Path:
            if sys.platform != "linux" or torch.cuda.is_available():
                return python
            home = tmp_path_factory.mktemp("fork")
            servers.enter_context(_fork_server(python, home / "socket"))
            return _script(home / "python", f'exec {_quoted(python, "-IS", FORK_SERVER, home / "socket")} "$@"')

        yield executable


@pytest.fixture(scope="session")
def shortened(
    forking: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path, Path], Path]:
    """``shortened(command, python)``: an executable that does what the ``ganzoo`` of an interpreter does, and sooner.

    What imports PyTorch runs in a fork; everything else is as light as it is.
    """

    def executable(command: Path, python: Path) -> Path:
        forked, fresh = _quoted(forking(python), command), _quoted(command)
        choice = f'case $1 in train | export) exec {forked} "$@" ;; *) exec {fresh} "$@" ;; esac'
        return _script(tmp_path_factory.mktemp("commands") / command.name, choice)

    return executable


def _quoted(*words: str | Path) -> str:
    return shlex.join(map(str, words))


def _script(path: Path, line: str) -> Path:
    path.write_text(f"#!/bin/sh\n{line}\n", "utf-8")
    path.chmod(0o700)
    return path


@contextlib.contextmanager
def _fork_server(python: Path, path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        command = [str(python), str(FORK_SERVER), str(listener.fileno()), *PRELOADED]
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=[listener.fileno()]
        )
    with server:  # whose end is the end of its standard input
        yield
