"""A run's grids as one animated WebP, and as a picture each."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from ganzoo.errors import ExitCode, GanzooError, IntegrityError
from ganzoo.reporting.animation import LAST_FRAME_MS, MAX_FRAMES, MAX_SIDE, MAX_STILLS, animate, evenly, stills


def frames(folder: Path, count: int, size: tuple[int, int] = (8, 8)) -> list[Path]:
    """Of even grey: frame i has shade i."""
    paths = [folder / f"{index}.png" for index in range(count)]
    for shade, path in enumerate(paths):
        Image.new("L", size, shade).save(path)
    return paths


def shades(data: bytes) -> list[int]:
    with Image.open(io.BytesIO(data)) as picture:
        return [frame.convert("L").getpixel((0, 0)) for frame in ImageSequence.Iterator(picture)]  # type: ignore[misc]


def test_every_frame_in_order_and_the_last_for_longer(tmp_path: Path) -> None:
    data = animate(frames(tmp_path, 5))
    assert shades(data) == [0, 1, 2, 3, 4]
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.info["loop"]) == ("WEBP", 0)
        picture.seek(4)
        picture.load()
        assert picture.info["duration"] == LAST_FRAME_MS


def test_many_frames_are_thinned_and_both_ends_stay(tmp_path: Path) -> None:
    found = shades(animate(frames(tmp_path, 150)))
    assert (len(found), found[0], found[-1]) == (MAX_FRAMES, 0, 149)
    steps = np.diff(found)
    assert steps.min() >= 2
    assert steps.max() <= 3


def test_stills_are_of_their_steps(tmp_path: Path) -> None:
    paths = frames(tmp_path, 150)
    found = stills({10 * index: path for index, path in enumerate(paths)})
    assert (len(found), min(found), max(found)) == (MAX_STILLS, 0, 1490)
    assert all(shades(picture) == [step // 10] for step, picture in found.items())


@pytest.mark.parametrize("count", [1, 59, 60, 61, 1000])
def test_frames_are_taken_once_each(count: int) -> None:
    paths = [Path(str(index)) for index in range(count)]
    taken = evenly(paths, MAX_FRAMES)
    assert len(set(taken)) == len(taken) == min(count, MAX_FRAMES)
    assert (taken[0], taken[-1]) == (paths[0], paths[-1])


def test_grids_of_small_images_are_kept_to_the_pixel(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (8, 8, 3), np.uint8).repeat(40, axis=0).repeat(40, axis=1)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with Image.open(io.BytesIO(animate([tmp_path / "a.png"]))) as picture:
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), pixels)


def test_large_grids_of_photographs_are_bounded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (500, 2000, 3), np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(pixels).save(tmp_path / name)
    data = animate([tmp_path / "a.png", tmp_path / "b.png"])
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (MAX_SIDE, MAX_SIDE // 4)
    assert len(data) < pixels.nbytes / 4


def test_frames_of_another_size_are_shown_at_the_last_ones(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "small.png")
    Image.new("RGB", (16, 12)).save(tmp_path / "large.png")
    with Image.open(io.BytesIO(animate([tmp_path / "small.png", tmp_path / "large.png"]))) as picture:
        assert picture.size == (16, 12)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"no picture"])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(IntegrityError) as caught:
        animate([tmp_path / "bad.png"])
    assert str(caught.value) == f"{tmp_path / 'bad.png'} cannot be read as a picture"
    assert caught.value.hint == "remove it, and ask again"
    assert caught.value.exit_code == ExitCode.INTEGRITY


def test_a_pillow_without_webp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.init()
    monkeypatch.delitem(Image.SAVE_ALL, "WEBP")
    with pytest.raises(GanzooError) as caught:
        animate(frames(tmp_path, 1))
    assert str(caught.value) == "this Pillow cannot write WebP"
    assert caught.value.hint == "pip install --force-reinstall pillow"
