"""Every example of README.md and docs/, as a person would type it, but for what changes an environment."""

import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tour import ROOT, Tour, agrees, blocks, commands

from ganzoo.cli import main

PAGES = (
    "README.md",
    "docs/browser.md",
    "docs/configuration.md",
    "docs/contract.md",
    "docs/data.md",
    "docs/engine.md",
    "docs/evaluation.md",
    "docs/exporting.md",
    "docs/howto.md",
    "docs/layers.md",
    "docs/python.md",
    "docs/registry.md",
    "docs/reports.md",
    "docs/serving.md",
    "docs/training.md",
    "docs/tutorial.md",
)
BY_HAND = {"docs/claims.md", "docs/performance.md", "docs/results.md", "docs/scaling.md", "docs/zoo.md"}
"""These show what benchmarks gave, and what takes several hosts."""

IN_AN_ENVIRONMENT = {"docs/plugins.md": "tests/packaging/test_tutorial.py"}
"""Pages that change an environment: what follows them in one that is made for it."""

MADE = {"docs/specs.md", "docs/README.md", "docs/troubleshooting.md"}
"""``docs/reference.py`` makes the first, and the others are lists: they show nothing to be run."""

HELP = {"docs/commands.md"}
"""``docs/commands.py`` makes it; tests/acceptance/test_docs.py holds it against what the commands say."""

TRAINING = "ganzoo train --model wgan-gp"

ELSEWHERE = {
    "pip install -c constraints.txt .": [
        ("tox.ini", "PIP_CONSTRAINT = {tox_root}/constraints.txt"),
        ("tox.ini", "package = wheel"),
        ("tests/packaging/test_wheel.py", "def test_the_tests_run_what_is_installed("),
    ],
    "pip install tox && tox": [(".ci/run", "\npip install tox\ntox\n")],
    "npm pack onnxruntime-web": [("tox.ini", "npm pack --silent --pack-destination {env_dir} onnxruntime-web@")],
    "ganzoo export wgan-gp --web site": [
        ("tests/export/test_web.py", "def test_the_runtime_is_found_where_npm_puts_it("),
        ("tests/browser/conftest.py", "export {name} --web {place} --ort-web {self._runtime} --registry {kept}"),
    ],
    "pip install .": [("tests/packaging/test_readme_plugin.py", "def test_it_is_installed_and_listed(")],
    "ganzoo train --model softgan": [("tests/packaging/test_readme_plugin.py", "def test_it_trains_and_exports(")],
    "pip install -r requirements-serve.txt": [("tox.ini", "[testenv:serve]"), ("tox.ini", "-r requirements-serve.txt")],
    "pip install --no-deps .": [("tox.ini", "commands_pre = python -m pip install --quiet --no-deps {tox_root}")],
}
"""Commands that change an environment: what does the same in one that is made for it, and fails if that fails."""

SCRIPTS_ELSEWHERE = {"docs/evaluation.md": "tests/evaluation/test_extractor.py"}
"""Pages whose Python needs weights from the internet: what runs it with other networks."""


@pytest.fixture
def tour(workplace: Any, train: Callable[[str], str], tmp_path: Path) -> Iterator[Tour]:
    """Somebody with a registry that has ``wgan-gp:1``."""
    assert train("wgan-gp") == "wgan-gp:1"
    place = type(workplace)(tmp_path, workplace.ganzoo)
    for part in ("oci-layout", "blobs", "models/wgan-gp"):
        source, target = workplace.registry / part, place.registry / part
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    follower = Tour(tmp_path, place.environment, ELSEWHERE, {TRAINING: workplace.printed[TRAINING]})
    yield follower
    follower.stop()


@pytest.mark.parametrize("page", PAGES)
def test_everything_that_a_page_shows(page: str, tour: Tour) -> None:
    tour.follow(page, python=page not in SCRIPTS_ELSEWHERE)


LONG = [command for language, _, text in blocks("README.md") if language == "text" for command, _ in commands(text)]
"""The trainings behind README's pictures."""

SHAPES = {"mnist10k.npz": (28, 28), "emoji64.npz": (64, 64, 3)}
"""Shapes of the images that they learn from."""


@pytest.mark.parametrize("command", LONG)
def test_a_long_training_that_is_shown_can_begin(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is checked, built and rehearsed, on fewer images of the same size, and without evaluations."""
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command.partition(" --eval-every ")[0])
    given = dict(zip(words[2::2], words[3::2], strict=True))
    pixels = np.random.default_rng(0).integers(0, 256, (300, *SHAPES[given["--data"]]), np.uint8)
    np.savez(given["--data"], images=pixels, labels=np.arange(len(pixels)) % 10)
    assert main([*words[1:], "--dry-run"]) == 0
    assert f"would train {int(given['--steps']):,} steps of {given['--model']} on cpu" in capsys.readouterr().out


@pytest.mark.parametrize("page", [*SCRIPTS_ELSEWHERE, *IN_AN_ENVIRONMENT])
def test_what_is_run_elsewhere_is_run_there(page: str) -> None:
    test = {**SCRIPTS_ELSEWHERE, **IN_AN_ENVIRONMENT}[page]
    assert Path(page).name in (ROOT / test).read_text("utf-8")


def test_no_page_is_forgotten() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")}
    assert found == {*PAGES, *BY_HAND, *IN_AN_ENVIRONMENT, *MADE, *HELP} - {"README.md"}


@pytest.mark.parametrize("page", sorted(MADE))
def test_what_is_made_shows_nothing_to_be_run(page: str) -> None:
    assert not list(blocks(page))


def test_a_command_that_cannot_be_run_is_not_passed_over(tour: Tour) -> None:
    with pytest.raises(AssertionError, match="does not know how to run: rm -rf registry"):
        tour.obey("rm -rf registry", "")


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\n…\nz\n", "a\nb\nc\nz\n", True),
        ("a\n…\nz\n", "a\nz\n", True),
        ("a\n…\nz\n", "a\nb\n", False),
        ("", "a\n", False),
        ("a:1  2026-11-20 22:16:58 UTC  sha256:2f1f\n", "a:1 2027-01-01 00:00:00 UTC sha256:ffff\n", True),
        ("a:1\n", "a:2\n", False),
        ("loss -2.987  3,274 images/s\n", "loss 0.1  4 images/s\n", True),
        ("1,438 images\n", "1,437 images\n", False),
    ],
)
def test_what_counts_as_the_same(shown: str, printed: str, same: bool) -> None:
    assert agrees(shown, printed) == same
