"""Which ranges of pixels a person is told of, and which are nobody's mistake."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from ganzoo import api
from ganzoo.cli import main
from ganzoo.data import ImageSet
from ganzoo.data.statistics import warning
from ganzoo.observer import Observer

CHANCE = np.random.default_rng(0)


def images(values: Any) -> ImageSet:
    """Grey images [N, 1, 8, 8] of uint8 values that repeat."""
    return ImageSet(pixels=np.resize(np.asarray(values).astype(np.uint8), (12, 1, 8, 8)))


def noise(low: int, high: int) -> ImageSet:
    return images(np.concatenate([[low, high], CHANCE.integers(low, high + 1, 500)]))


ODD = {
    "masks of 0 and 1": (noise(0, 1), "0 to 1"),
    "masks of three classes": (noise(0, 2), "0 to 2"),
    "masks of twenty-one classes": (noise(0, 20), "0 to 20"),
    "floats divided by 255 twice": (images(np.rint(CHANCE.random(500) / 255 * 255)), "0 to 1"),
    "floats divided three times": (images([0]), "0 to 0"),
    "10 bits in 16": (images(CHANCE.permutation(1024) >> 8), "0 to 3"),
    "12 bits in 16": (images(np.arange(0, 4096, 7) >> 8), "0 to 15"),
    "14 bits in 16": (images(np.arange(0, 16384, 29) >> 8), "0 to 63"),
    "half of [-1, 1]": (images(np.rint((np.linspace(-0.5, 0.5, 500) + 1) / 2 * 255)), "64 to 191"),
    "a quarter of [-1, 1]": (images(np.rint((np.linspace(-0.25, 0.25, 500) + 1) / 2 * 255)), "96 to 159"),
    "[0, 1] made [0.5, 1]": (images(np.rint((np.linspace(0, 1, 500) + 1) / 2 * 255)), "128 to 255"),
    "[0, 1], halved": (images(np.rint(np.linspace(0, 0.5, 500) * 255)), "0 to 128"),
    "one byte, shifted": (images(np.arange(256) >> 1), "0 to 127"),
    "one shade of grey": (images([100]), "100 to 100"),
}


@pytest.mark.parametrize(("odd", "found"), ODD.values(), ids=ODD)
def test_an_implausible_range_is_told(odd: ImageSet, found: str) -> None:
    assert (warning(odd) or "").startswith(f"pixels lie in {found} of 255; ")


HONEST = {
    "all values": noise(0, 255),
    "masks of 0 and 255": images([0, 255]),
    "white on black": images([0] * 700 + [255]),
    "black on white": images([255] * 700 + [0]),
    "dark, with a light": images([*CHANCE.integers(0, 20, 700), 180]),
    "mostly black images": ImageSet(pixels=np.concatenate([np.zeros((50, 1, 8, 8), np.uint8), noise(0, 200).pixels])),
    "low contrast": noise(60, 190),
    "one channel of three": ImageSet(pixels=np.stack([noise(0, 255).pixels[:, 0], *[images([0]).pixels[:, 0]] * 2], 1)),
}


@pytest.mark.parametrize("honest", HONEST.values(), ids=HONEST)
def test_dark_and_black_and_white_sets_are_no_mistake(honest: ImageSet) -> None:
    assert warning(honest) is None


@pytest.mark.parametrize("name", ["digits", "stacked-digits", "dots"])
def test_no_set_of_our_own_is_doubted(name: str) -> None:
    assert api.describe_data(name)["warning"] is None


@given(st.lists(st.integers(0, 255), min_size=1, max_size=50))
def test_it_is_the_range_of_the_whole_set(values: list[int]) -> None:
    told = warning(ImageSet(pixels=np.array(values, np.uint8).reshape(-1, 1, 1, 1)))
    assert (told is None) is (max(values) - min(values) > 128)


def write_npy(path: Path, values: Any) -> Path:
    np.save(path / "x.npy", values)
    return path / "x.npy"


def write_npz(path: Path, values: Any) -> Path:
    np.savez(path / "x.npz", images=values)
    return path / "x.npz"


def write_idx(path: Path, values: Any) -> Path:
    target = path / "train-images-idx3-ubyte"
    target.write_bytes(b"\0\0\x08\x03" + np.array(values.shape, ">i4").tobytes() + values.tobytes())
    return target


def write_folder(path: Path, values: Any) -> Path:
    for number, each in enumerate(values):
        Image.fromarray(each).save(path / f"{number}.png")
    return path


def write_pack(path: Path, values: Any) -> Path:
    assert main(["data", "pack", str(write_npy(path, values)), str(path / "packed.npy")]) == 0
    return path / "packed.npy"


@pytest.mark.parametrize("write", [write_npy, write_npz, write_idx, write_folder, write_pack])
def test_show_tells_it_whatever_it_was_read_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write: Callable[[Path, Any], Path]
) -> None:
    path = write(tmp_path, noise(0, 1).pixels[:, 0])
    capsys.readouterr()
    assert main(["data", "show", str(path), "--size", "8", "--json"]) == 0
    out, err = capsys.readouterr()
    assert "\nWarning: pixels lie in 0 to 1 of 255; " in "\n" + err
    assert json.loads(out)["warning"] in err


def test_training_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ear(Observer):
        def __init__(self) -> None:
            self.heard: list[str] = []

        def noted(self, message: str) -> None:
            self.heard.append(message)

    monkeypatch.chdir(tmp_path)
    tiny = {"steps": 1, "batch": 4, "device": "cpu", "precision": "fp32", "options": {"width": 2, "latent_dim": 3}}
    ear = Ear()
    data = str(write_npy(tmp_path, noise(0, 1).pixels))
    api.train("dcgan", settings={**tiny, "data": data}, export=False, observer=ear)
    assert [line for line in ear.heard if line.startswith("pixels lie in 0 to 1 of 255; ")]
