"""Images of latents that a file holds."""

from pathlib import Path

import numpy as np
import pytest

from ganzoo.cli import main
from ganzoo.images import to_uint8
from ganzoo.latents import draw
from ganzoo.runtime.generator import ImageGenerator

FILE = Path(__file__).parents[1] / "packaging" / "petite.onnx"


@pytest.fixture(autouse=True)
def latents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("z.npy", draw(1, 0, 70, 4)[0].astype(np.float64))


def sample(line: str) -> int:
    return main(["sample", str(FILE), "--device", "cpu", "--seed", "7", *line.split()])


def test_images_of_the_latents_of_a_file(petite: ImageGenerator) -> None:
    assert sample("--latents z.npy --label 3 -o all.npy") == 0
    z, _ = draw(1, 0, 70, 4)
    expected = to_uint8(petite.run(z, np.full(70, 3))).transpose(0, 2, 3, 1)
    assert np.array_equal(np.load("all.npy"), expected)
    assert sample("--latents z.npy --label 3,1 --per-class 2 --start 5 -o set") == 0
    assert sorted(path.as_posix() for path in Path("set").rglob("*.png")) == [
        f"set/{label}/{index:06d}.png" for label in "13" for index in (5, 6)
    ]


def test_labels_are_drawn_from_the_seed_as_ever(petite: ImageGenerator) -> None:
    assert sample("--latents z.npy -n 9 --start 2 -o some.npz") == 0
    with np.load("some.npz") as arrays:
        assert arrays["labels"].tolist() == np.asarray(petite.pixels(9, 7, start=2)[1]).tolist()


@pytest.mark.parametrize(
    ("line", "code", "error"),
    [
        ("--latents none.npy", 3, "none.npy: no such file of latents"),
        ("--latents text.npy", 2, "text.npy cannot be read: "),
        ("--latents zip.npy", 2, "zip.npy must hold latents [N, 4], not several arrays"),
        ("--latents flat.npy", 2, "flat.npy must hold latents [N, 4], not float64 [3, 5]"),
        ("--latents whole.npy", 2, "whole.npy must hold latents [N, 4], not int64 [3, 4]"),
        ("--latents several.npz", 2, "several.npz must hold latents [N, 4], not several arrays"),
        ("--latents nan.npy", 2, "nan.npy has latents that are not finite numbers"),
        ("--latents z.npy -n 71", 2, "z.npy has 70 latents, and image 70 was asked for"),
        ("--latents z.npy --start 70", 2, "z.npy has 70 latents, and image 70 was asked for"),
        ("--latents z.npy --film walk.webp", 2, "--film takes the place of images, and --latents is about them"),
    ],
)
def test_bad_input(line: str, code: int, error: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("text.npy").write_text("no array")
    Path("zip.npy").write_bytes(b"PK\3\4" + bytes(99))
    np.save("flat.npy", np.zeros((3, 5)))
    np.save("whole.npy", np.zeros((3, 4), int))
    np.save("nan.npy", np.full((3, 4), np.nan))
    np.savez("several.npz", a=np.zeros((3, 4)))
    before = sorted(Path().iterdir())
    assert sample(line) == code
    assert capsys.readouterr().err.startswith(f"Error: {error}")
    assert sorted(Path().iterdir()) == before
