"""From ``ganzoo plugins new`` to a served sample, and the kit in an environment that a person has."""

import json
import re
import shutil
import signal
import subprocess
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
KINDS = sorted(path.name for path in (ROOT / "ganzoo" / "distributions" / "templates").iterdir() if path.is_dir())
SECONDS = 300
"""How long it may take from nothing to an image by HTTP, on two cores."""

OFFLINE = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation")
MOVED = "dcgan"


def name_of(source: Path) -> str:
    """The name of a distribution."""
    name: str = tomllib.loads((source / "pyproject.toml").read_text("utf-8"))["project"]["name"]
    return name


def served(place: Any, url: str) -> bytes:
    """What a server that is started for it answers."""
    command = [place.command, "serve", "first", "--port", "0", "--device", "cpu"]
    with subprocess.Popen(command, env=place.environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        ready = process.stderr.readline()
        found = re.search(r"http://[\d.:]+", ready)
        assert found, ready
        answer = httpx.get(found[0] + url, timeout=30).content
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    return answer


def test_from_nothing_to_a_served_sample(place: Any, tell: Callable[[str], None]) -> None:
    begin = time.perf_counter()
    assert place.ganzoo("plugins", "new", "first") == "ganzoo-first\n"
    assert place.ganzoo("install", *OFFLINE, "./ganzoo-first") == "ganzoo-first/first 0.1.0\n"
    assert {result["check"] for result in place.check("first")} >= {"two ranks", "onnx", "resume"}
    trained = place.run(place.command, "train", "--model", "first", "--steps", "2", "--device", "cpu")
    assert trained.returncode == 0, trained.stderr
    assert "gate passed: independence" in trained.stderr
    place.ganzoo("sample", "first", "-n", "4", "--seed", "7", "-o", "first.npy", "--device", "cpu")
    assert np.load(place.directory / "first.npy").shape == (4, 8, 8, 1)
    answer = served(place, "/v1/models/first/sample?n=4&seed=7&format=npy")
    assert answer == (place.directory / "first.npy").read_bytes()
    seconds = time.perf_counter() - begin
    tell(f"from ganzoo plugins new to a served sample: {seconds:.0f} s")
    assert seconds < SECONDS
    refused = place.run(place.command, "uninstall", "ganzoo-first")
    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: registered versions need ganzoo-first: first:1\nHint: ")
    place.ganzoo("uninstall", "ganzoo-first", "--yes")
    assert "first" not in place.models()
    place.ganzoo("sample", "first", "--device", "cpu", "-o", "after.npy")


def test_what_is_no_plugin_is_told_and_can_be_taken_away(place: Any) -> None:
    stranger = place.directory / "stranger"
    stranger.mkdir()
    (stranger / "stranger.py").touch()
    (stranger / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n\n'
        '[project]\nname = "Stranger"\nversion = "1.0"\n',
        "utf-8",
    )
    done = place.run(place.command, "install", *OFFLINE, "./stranger")
    assert done.returncode == 5
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith("Error: stranger: no plugin; ")
    assert hint == "Hint: to take it away again: ganzoo uninstall stranger"
    place.ganzoo("uninstall", "stranger")
    assert place.run(place.python, "-I", "-c", "import stranger").returncode == 1


def test_every_other_kind_passes_as_it_is_written(place: Any, pip: Callable[..., str]) -> None:
    kinds = [kind for kind in KINDS if kind != "model"]
    assert len(kinds) >= 5
    for kind in kinds:
        place.ganzoo("plugins", "new", f"new-{kind}", "--kind", kind, "--directory", f"kinds/{kind}")
    sources = [place.directory / "kinds" / kind for kind in kinds]
    pip(place.python, "install", *sources)
    try:
        found = place.check()  # all that is not built-in
        assert {result["subject"] for result in found} >= {f"{kind} new-{kind}" for kind in kinds}
    finally:
        pip(place.python, "uninstall", "--yes", *map(name_of, sources))


def test_its_own_test_is_the_kit(place: Any, pip: Callable[..., str]) -> None:
    """The test that is written with it, run as its author would."""
    place.ganzoo("plugins", "new", "tested", "--kind", "metric")
    source = place.directory / "ganzoo-tested"
    lines = (source / "tests" / "test_conformance.py").read_text("utf-8").split("\n\n\n")[1].splitlines()
    assert len(lines) == 2
    pip(place.python, "install", source)
    try:
        done = place.run(place.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", source)
        assert done.returncode == 0, done.stdout
        assert "3 passed, 1 skipped" in done.stdout
    finally:
        pip(place.python, "uninstall", "--yes", name_of(source))


@pytest.fixture
def without(build: Callable[[Path], Path], tmp_path: Path) -> tuple[Path, Path]:
    """Two wheels: ganzoo without a built-in plugin, and that plugin alone, whose files are as they were."""
    tree, alone = tmp_path / "tree", tmp_path / "alone"
    for name in ("ganzoo", "plugins", "registry"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    line = f'{MOVED} = "ganzoo_plugins.{MOVED}"\n'
    assert project.count(line) == 1
    (tree / "pyproject.toml").write_text(project.replace(line, ""), "utf-8")
    (alone / "ganzoo_plugins").mkdir(parents=True)
    shutil.move(tree / "plugins" / "ganzoo_plugins" / MOVED, alone / "ganzoo_plugins" / MOVED)
    (alone / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n\n'
        f'[project]\nname = "ganzoo-{MOVED}"\nversion = "1.0"\ndependencies = ["ganzoo"]\n\n'
        f'[project.entry-points."ganzoo.v1"]\n{line}\n'
        f'[tool.hatch.build.targets.wheel]\ninclude = ["ganzoo_plugins/{MOVED}"]\n',
        "utf-8",
    )
    return build(tree), build(alone)


def test_a_built_in_in_a_wheel_of_its_own_conforms(
    place: Any, pip: Callable[..., str], without: tuple[Path, Path], tmp_path: Path
) -> None:
    """Nothing makes a plugin a built-in one but where its metadata stand."""
    elsewhere = type(place)(tmp_path / "elsewhere")
    rest, moved = without
    pip(elsewhere.python, "install", rest)
    elsewhere.borrow_dependencies()
    assert MOVED not in elsewhere.models()
    pip(elsewhere.python, "install", moved)
    assert MOVED in elsewhere.models()
    shown = json.loads(elsewhere.ganzoo("plugins", "show", MOVED, "--json"))
    assert (shown["distribution"], shown["state"]) == (f"ganzoo-{MOVED}", "active")
    assert len(elsewhere.check(MOVED)) > 10
