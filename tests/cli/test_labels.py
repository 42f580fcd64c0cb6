"""``ganzoo sample --label``: one class, several, or all of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from terminal import terminal

import ganzoo
from ganzoo.cli import main
from ganzoo.errors import UsageError
from ganzoo.images import GAP, MIN_TILE, encode_picture, grid, named_rows
from ganzoo.runtime.labels import find_class, find_classes

TINY = {"options": {"width": 2, "latent_dim": 3}, "steps": 2, "batch": 4, "device": "cpu"}
TILE = MIN_TILE + GAP

Sample = Callable[..., int]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with ``conditional:1``, whose classes are ten digits."""
    home = tmp_path_factory.mktemp("labelled")
    result = ganzoo.train("conditional", settings=TINY, registry=home / "registry", runs=home / "runs")
    assert result.class_names == tuple("0123456789")
    return home / "registry"


@pytest.fixture
def sample(registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sample:
    monkeypatch.chdir(tmp_path)
    start = ["sample", "conditional", "--registry", str(registry), "--device", "cpu", "--seed", "7"]
    return lambda *arguments: main([*start, *arguments])


def test_pictures_of_a_class_lie_in_its_folder(sample: Sample) -> None:
    assert sample("--label", "3,5", "--per-class", "2", "-o", "set") == 0
    assert sample("-n", "20", "-o", "drawn") == 0
    assert sample("--label", "3", "-n", "1", "--each", "-o", "one.d") == 0
    pictures = [path.as_posix() for path in sorted(Path().rglob("*.png"))]
    assert pictures[-4:] == ["set/3/000000.png", "set/3/000001.png", "set/5/000000.png", "set/5/000001.png"]
    assert pictures[-5] == "one.d/3/000000.png"
    assert sorted(path[-10:] for path in pictures[:-5]) == [f"{index:06d}.png" for index in range(20)]
    assert Path(pictures[-4]).read_bytes() == Path(pictures[-5]).read_bytes()


def test_a_set_for_a_training_is_one_command(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    assert sample("--label", "all", "--per-class", "3", "--shards", "tar", "-o", "set") == 0
    assert capsys.readouterr() == ("set\n", "Seed 7.\n")
    assert main(["data", "show", "set", "--size", "8"]) == 0
    assert "classes     10: 0 (" in capsys.readouterr().out


def test_every_class_has_a_row(sample: Sample) -> None:
    assert sample("--label", "all", "-o", "all.png") == 0
    with Image.open("all.png") as picture:
        assert picture.height == 10 * TILE - GAP
        assert picture.width > 8 * TILE - GAP  # the names


def test_several_classes_are_those_of_one_each(sample: Sample) -> None:
    assert sample("--label", "3, 5", "--per-class", "4", "-o", "two.npy") == 0
    both = np.load("two.npy")
    for index, label in enumerate("35"):
        assert sample("--label", label, "-n", "4", "-o", "one.npy") == 0
        assert np.array_equal(np.load("one.npy"), both[4 * index : 4 * index + 4])
    assert sample("--label", "3", "--per-class", "4", "-o", "one.npy") == 0
    assert len(np.load("one.npy")) == 4


def test_many_are_drawn_in_parts_and_shown(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sample("--label", "3,5", "--per-class", "9", "--start", "2", "-o", "whole.npy") == 0
    monkeypatch.setattr("ganzoo.samples.request.PIECE", 4)
    with terminal(80) as made:
        assert sample("--label", "3,5", "--per-class", "9", "--start", "2", "-o", "parts.npy") == 0
    assert np.array_equal(np.load("whole.npy"), np.load("parts.npy"))
    assert made.lines()[0].startswith("sampling 100% ")
    assert "18/18 images" in made.lines()[0]


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (
            "--label all --per-class 7000",
            "n must be a whole number from 1 to 65536, not 70000",
            "draw the rest with another start",
        ),
        ("--label 3,5 -n 4", "-n counts the images of one class", "of several: --per-class N"),
        ("--per-class 4", "--per-class takes the place of -n where --label names classes", "--label all"),
        ("--label 3,x", "conditional has no class 'x'", "choose a name: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        ("--label 3,", "conditional has no class ''", "choose a name: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
    ],
)
def test_what_does_not_go_together(
    sample: Sample, arguments: str, error: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sample(*arguments.split()) == 2
    assert capsys.readouterr().err == f"Error: {error}\nHint: {hint}\n"
    assert not any(Path().iterdir())


def test_a_name_comes_before_a_list_and_before_all() -> None:
    assert find_classes("all", ["cat", "dog"], "m") == [0, 1]
    assert find_classes("all", ["none", "all"], "m") == [1]
    assert find_classes("a, b", ["b", "a", "a, b"], "m") == [2]
    assert find_classes("dog,0", ["cat", "dog"], "m") == [1, 0]
    assert find_classes("1,dog,0,1", ["cat", "dog"], "m") == [1, 0]
    assert find_classes("a, b", ["a", " b"], "m") == [0, 1]
    with pytest.raises(UsageError, match="m takes no labels"):
        find_classes("all", [], "m")


@pytest.mark.parametrize("name", ["line\\nbreak", "C:\\cats", "it's", "tab\there"])
def test_a_name_that_is_hinted_at_can_be_typed(name: str) -> None:
    """Backslashes as they are; what cannot be shown is not shown, and the index does as well."""
    with pytest.raises(UsageError) as caught:
        find_class(f"{name}x", [name, "quite another"], "m")
    assert caught.value.hint == f"did you mean '{name}'?".replace("\t", "\\t")


def test_names_stand_beside_their_rows() -> None:
    sheet = grid(np.zeros((6, 3, 48, 48), np.uint8), 3)
    named = named_rows(sheet, ["cat", "Ж"])
    assert named.shape[:2] == sheet.shape[:2]
    strip = named[:, :, : named.shape[2] - sheet.shape[2]]
    assert np.array_equal(named[:, :, strip.shape[2] :], sheet)
    upper, lower = strip[0, :TILE], strip[0, TILE:]
    assert (upper < 128).sum() > (lower < 128).sum() > 0  # a word, and a digit for what the font lacks


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_picture(tmp_path: Path, suffix: str, channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (channels, 1, 1), np.uint8).repeat(16, 1).repeat(16, 2)
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(encode_picture(image, suffix))
    with Image.open(path) as found:
        pixels = np.asarray(found.convert("L" if channels == 1 else "RGB")).reshape(16, 16, channels)
    assert np.abs(pixels.transpose(2, 0, 1).astype(int) - image).max() <= (2 if suffix.startswith(".jp") else 0)
