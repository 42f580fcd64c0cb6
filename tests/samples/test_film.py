"""Films: a closed walk through images of a seed, which every format shows."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence

from ganzoo.cli import main
from ganzoo.errors import ExitCode, MissingPackageError
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.samples.film import FILMS, encode_apng, encode_mp4, encode_webp
from ganzoo.samples.walk import FRAME_MS, SIDE, Walk, frames

FILE = Path(__file__).parents[1] / "packaging" / "petite.onnx"


def walk(**options: Any) -> Walk:
    given = {"seed": 7, "start": 2, "stops": 3, "steps": 4, "classes": (), "controls": {}, **options}
    return Walk(**given)


def test_a_walk_goes_through_the_images_of_its_seed_and_back(petite: ImageGenerator) -> None:
    made = [np.asarray(frame) for frame in frames(petite, walk(classes=(3,)))]
    assert len(made) == 12
    factor = SIDE // 8
    for stop, image in enumerate(petite.sample(3, 7, "3", start=2)):
        assert np.array_equal(made[4 * stop][::factor, ::factor], image[:, :, 0])
        assert made[4 * stop].shape == (SIDE, SIDE)


def test_without_a_class_it_has_that_of_the_first_image(petite: ImageGenerator) -> None:
    _, labels = petite.pixels(1, 7, start=2)
    assert labels is not None
    known, unknown = (list(frames(petite, walk(classes=each))) for each in ((int(labels[0]),), ()))
    assert all(one.tobytes() == other.tobytes() for one, other in zip(known, unknown, strict=True))


@pytest.mark.parametrize("form", FILMS)
def test_a_film_shows_every_frame(form: str) -> None:
    if form == ".mp4":
        pytest.importorskip("av")
    shown = [Image.new("L", (33, 21), 16 * number) for number in range(8)]
    data = FILMS[form](iter(shown), FRAME_MS)
    if form == ".mp4":
        import av

        with av.open(io.BytesIO(data), "r") as container:
            assert container.streams.video[0].average_rate == 1000 / FRAME_MS
            found = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
        assert found[0].shape == (22, 34)
    else:
        with Image.open(io.BytesIO(data)) as film:
            assert film.info["loop"] == 0
            found = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(film)]
    assert len(found) == 8
    for frame, wanted in zip(found, shown, strict=True):
        assert np.abs(frame[:20, :32].astype(int) - np.asarray(wanted)[:20, :32]).max() <= (6 if form == ".mp4" else 0)


def test_photographs_are_encoded_with_some_loss_and_loops_are_not() -> None:
    noise = [Image.fromarray(np.random.default_rng(seed).integers(0, 256, (200, 200, 3), np.uint8)) for seed in (0, 1)]
    assert len(encode_webp(iter(noise), FRAME_MS)) < len(encode_apng(iter(noise), FRAME_MS)) / 2


def test_mp4_needs_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingPackageError) as caught:
        encode_mp4(iter([Image.new("L", (8, 8))]), FRAME_MS)
    assert caught.value.exit_code == ExitCode.MISSING_PACKAGE
    assert caught.value.hint == 'pip install "ganzoo[film]"; or write a .webp, which needs nothing'


def sample(*arguments: str) -> int:
    return main(["sample", str(FILE), "--device", "cpu", "--seed", "7", *arguments])


def test_a_film_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert sample("--film", "walk.webp", "-n", "2", "--steps", "3", "--label", "all") == 0
    assert capsys.readouterr() == ("walk.webp\n", "Seed 7.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["walk.webp"]
    with Image.open("walk.webp") as film:
        assert sum(1 for _ in ImageSequence.Iterator(film)) == 6
        assert film.height == 3 * 50 * 2 - 4  # ten classes in rows of four, magnified


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("--film walk.gif", "cannot write a film to walk.gif"),
        ("--film walk.webp -o x.png", "--film takes the place of images, and --output is about them"),
        ("--film walk.webp --shards tar", "--film takes the place of images, and --shards is about them"),
        ("--film walk.webp --label 3 --per-class 3", "--film takes the place of images, and --per-class is about them"),
        ("--film walk.webp -n 3000", "the number of frames must be a whole number from 1 to 3000, not 90000"),
    ],
)
def test_films_that_there_cannot_be(
    arguments: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sample(*arguments.split()) == 2
    assert capsys.readouterr().err.startswith(f"Error: {error}\n")
    assert not any(tmp_path.iterdir())
