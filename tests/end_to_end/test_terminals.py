"""What commands print on terminals of 60, 80 and 200 columns: no line is wider, nor broken by the terminal."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from terminal import terminal

import ganzoo
from ganzoo.cli import main

COMMANDS = [
    ["models"],
    ["models", "--loss", "hinge", "--conditional"],
    ["models", "show", "biggan"],
    ["data", "ls"],
    ["data", "show", "photos"],
    ["data", "pack", "photos", "packed.npy", "--size", "8"],
    ["plugins"],
    ["runs", "ls"],
    ["runs", "show", "last"],
    ["registry", "ls"],
    ["registry", "ls", "--all"],
    ["registry", "ls", "--all", "--sort", "fd"],
    ["registry", "show", "a-rather-long-name"],
    ["registry", "du"],
    ["registry", "gc"],
    ["registry", "log", "a-rather-long-name"],
    ["registry", "diff", "a-rather-long-name:1", "a-rather-long-name:2"],
    ["eval", "a-rather-long-name:1", "--seeds", "2", "-n", "40"],
    ["eval", "--compare", "a-rather-long-name:1", "a-rather-long-name:2", "--seeds", "2", "-n", "40"],
    ["sample", "a-rather-long-name", "-n", "4", "-o", "grid.png"],
    ["export", "a-rather-long-name", "-o", "net.onnx"],
    ["report", "last"],
    ["doctor"],
    *([name, "--help"] for name in ("train", "eval", "sample", "serve", "registry")),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photographs, two versions and their runs."""
    home = tmp_path_factory.mktemp("home")
    (home / "photos").mkdir()
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (24, 12, 12, 3), np.uint8)):
        Image.fromarray(pixels).save(home / "photos" / f"{number}.png")
    for seed in (0, 1):
        settings = {"batch": 16, "steps": 4, "seed": seed, "name": "a-rather-long-name", "device": "cpu"}
        ganzoo.train("vanilla", settings=settings, registry=home / "registry", runs=home / "runs")
    return home


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_line_is_wider_than_the_terminal(
    words: Sequence[str], columns: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("GANZOO_REGISTRY", str(home / "registry"))
    with terminal(columns) as made:
        if "--help" in words:  # click asks the process's own terminal how wide it is
            monkeypatch.setenv("COLUMNS", str(columns))
        assert main(words) == 0
    assert [line for line in made.wraps() if not line.lstrip().startswith("ganzoo ")] == []  # which is to be copied
    assert len(made.lines()) >= 1
