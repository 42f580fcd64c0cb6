"""``--data``: what a source stands for; the set itself, its identity and its size; the digits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo.data import ImageSet, load
from ganzoo.data.resize import resized
from ganzoo.errors import ExitCode, NotFoundError, PluginError, UsageError
from ganzoo.specs import Dataset, ImageShape
from ganzoo.zoo.names import Zoo, zoo
from ganzoo_plugins.digits import reader

DIGITS_DIGEST = "sha256:f2cbaaff69769c589ea5694b192d807e545f0fb1920c299d673841275b42338b"

Put = Callable[..., Path]
MakeZoo = Callable[..., Zoo]


def four(**changed: Any) -> ImageSet:
    """Four images of two classes."""
    pixels = np.arange(4 * 64, dtype=np.uint8).reshape(4, 1, 8, 8)
    return ImageSet(**{"pixels": pixels, "labels": np.array([0, 1, 1, 0]), "class_names": ("a", "b"), **changed})


# Digits


def test_digits() -> None:
    parts = load("digits", zoo())
    training, held_out = parts.training, parts.held_out
    assert held_out
    assert training.shape == ImageShape(channels=1, height=8, width=8, classes=10)
    assert (len(training), len(held_out)) == (1438, 359)
    assert training.class_names == held_out.class_names == tuple("0123456789")
    assert training.digest == DIGITS_DIGEST
    for images in (training, held_out):
        assert set(images.labels.tolist()) == set(range(10))  # type: ignore[union-attr]
        assert (int(images.pixels.min()), int(images.pixels.max())) == (0, 255)
        assert set(np.unique(images.pixels)) == {round(ink * 255 / 16) for ink in range(17)}


def test_no_held_out_digit_is_trained_on() -> None:
    seen = {image.tobytes() for image in reader.training().pixels}
    assert not any(image.tobytes() in seen for image in reader.held_out().pixels)


# The set


def test_the_digest_is_of_what_is_in_the_set_and_of_nothing_else() -> None:
    base = four()
    other_pixels = base.pixels.copy()
    other_pixels[3, 0, 7, 7] ^= 1
    changed = [
        four(pixels=other_pixels),
        four(pixels=base.pixels.reshape(4, 1, 4, 16)),
        four(labels=np.array([0, 1, 0, 1])),
        four(class_names=("a", "c")),
        four(class_names=("a", "b", "c")),
        four(labels=None, class_names=()),
    ]
    assert len({images.digest for images in [base, *changed]}) == 7
    assert four(skipped=("x.png: gone",)).digest == base.digest
    strided = np.repeat(base.pixels, 2, axis=3)[..., ::2]
    assert four(pixels=strided).digest == base.digest


@pytest.mark.parametrize("dtype", ["U1", "S1"])
def test_the_digest_does_not_depend_on_the_kind_of_strings(dtype: str) -> None:
    other = four(class_names=tuple(np.array(["a", "b"], dtype)))
    assert all(type(name) is str for name in other.class_names)
    assert other.digest == four().digest


def test_the_digest_does_not_depend_on_where_the_set_was_read_from(put: Put, tmp_path: Path) -> None:
    base = four()
    for index, (pixels, label) in enumerate(zip(base.pixels, base.labels.tolist(), strict=True)):  # type: ignore[union-attr]
        folder = put(f"{base.class_names[label]}/{label}{index}.png", Image.fromarray(pixels[0]))
    order = [0, 3, 1, 2]  # by class, as a folder has them
    np.savez(
        tmp_path / "same.npz",
        images=base.pixels[order].transpose(0, 2, 3, 1) / 255,
        labels=base.labels[order],  # type: ignore[index]
        class_names=base.class_names,
    )
    moved = tmp_path / "moved"
    from_folder = load(str(folder), zoo(), size=8).training
    folder.rename(moved)
    from_array = load(str(tmp_path / "same.npz"), zoo()).training
    assert from_folder.digest == from_array.digest == load(str(moved), zoo(), size=8).training.digest


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pixels": np.zeros((4, 8, 8), np.uint8)}, "images must be a non-empty uint8 array"),
        ({"pixels": np.zeros((4, 1, 8, 8), np.float32)}, "images must be a non-empty uint8 array"),
        ({"pixels": np.zeros((4, 2, 8, 8), np.uint8)}, "images must have 1 or 3 channels"),
        ({"pixels": np.zeros((4, 4, 8, 8), np.uint8)}, "images must have 1 or 3 channels"),
        ({"labels": None}, "there are 2 class names, but no labels"),
        ({"labels": np.zeros(4, np.int32)}, "labels must be an int64 array"),
        ({"labels": np.zeros(3, np.int64)}, "labels must be an int64 array"),
        ({"labels": np.array([0, 1, 2, 0])}, "labels must lie in 0 to 1"),
        ({"labels": np.array([0, 1, -1, 0])}, "labels must lie in 0 to 1"),
        ({"class_names": ("a", "a")}, "class names must differ"),
    ],
)
def test_a_set_that_does_not_fit_together(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("[", r"\[")):
        four(**changed)


@pytest.mark.parametrize("channels", [1, 3])
def test_resized(channels: int) -> None:
    values = np.arange(channels, dtype=np.uint8) * 60
    pixels = np.broadcast_to(values[None, :, None, None], (4, channels, 12, 20))
    images = four(pixels=np.ascontiguousarray(pixels))
    smaller = resized(images, 6)
    assert smaller.pixels.shape == (4, channels, 6, 6)
    assert (smaller.pixels == values[None, :, None, None]).all()
    assert (smaller.labels is images.labels, smaller.class_names) == (True, images.class_names)


def test_nothing_is_resized_without_need() -> None:
    images = four()
    assert resized(images, None) is images
    assert resized(images, 8) is images


# Sources


def test_a_folder_is_read_at_64_pixels_unless_told_otherwise(put: Put) -> None:
    root = str(put("a.png"))
    assert load(root, zoo()).training.shape.height == 64
    assert load(root, zoo(), size=16).training.shape.height == 16


def test_arrays_and_named_sets_keep_their_size_unless_told_otherwise(tmp_path: Path, make_zoo: MakeZoo) -> None:
    np.save(tmp_path / "x.NPY", four().pixels)
    (tmp_path / "x.NPY.npy").rename(tmp_path / "x.NPY")
    for source in (str(tmp_path / "x.NPY"), "digits"):
        assert load(source, zoo()).training.shape.height == 8
        assert load(source, zoo(), size=16).training.shape.height == 16


@pytest.mark.parametrize("name", ["data_batch_1.bin", "x.parquet", "x.tar"])
@pytest.mark.parametrize("form", ["folder", "hidden"])
def test_folders_and_hidden_files_do_not_choose_the_reader(put: Put, name: str, form: str) -> None:
    put("a/1.png")
    if form == "folder":
        root = put(f"{name}/2.png")
    else:
        put("b/2.png")
        root = put(f"._{name}", b"left by a file manager")
    images = load(str(root), zoo()).training
    assert (len(images), len(images.class_names)) == (2, 2)


def test_strict_reaches_the_folder(put: Put) -> None:
    put("a.png")
    root = str(put("b.png", b""))
    assert len(load(root, zoo()).training) == 1
    with pytest.raises(UsageError, match=r"1 of 2 images cannot be read; the first is b\.png"):
        load(root, zoo(), strict=True)


def test_a_home_directory(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(put("a.png").parent))
    assert len(load("~/photos", zoo()).training) == 1


def test_a_data_set_by_its_short_and_its_full_name(make_zoo: MakeZoo) -> None:
    here = make_zoo(Dataset(name="numbers", target="ganzoo_plugins.digits.reader:training"))
    assert load("numbers", here).training.digest == load("acme/numbers", here).training.digest == DIGITS_DIGEST
    assert load("ganzoo/digits", zoo()).training.digest == DIGITS_DIGEST


def test_a_folder_does_not_shadow_a_data_set(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    put("digits/a.png")
    monkeypatch.chdir(put("scans/a.png"))
    assert load("digits", zoo()).training.digest == DIGITS_DIGEST
    for folder in ("./digits", "digits/", "scans"):
        assert len(load(folder, zoo()).training) == 1


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("digitz", "unknown dataset 'digitz'", "did you mean 'digits'?; or give a path"),
        ("my/photos", "--data my/photos: no such file or folder", "check the path, or use --data digits"),
        ("photos.npz", "--data photos.npz: no such file or folder", "check the path, or use --data digits"),
        ("/no/such", "--data /no/such: no such file or folder", "check the path, or use --data digits"),
    ],
)
def test_a_source_that_is_nothing(source: str, message: str, hint: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        load(source, zoo())
    assert (str(caught.value), caught.value.hint, caught.value.exit_code) == (message, hint, ExitCode.NOT_FOUND)


@pytest.mark.parametrize("name", ["photos.rar", "photo.png", "photos"])
def test_a_file_of_another_kind(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(NotFoundError) as caught:
        load(str(tmp_path / name), zoo())
    assert str(caught.value) == f"--data {tmp_path / name}: this kind of file is not read"
    assert caught.value.hint == "give a folder of images, or a name or a kind of file that `ganzoo data ls` lists"


def test_a_data_set_that_returns_something_else(make_zoo: MakeZoo, monkeypatch: pytest.MonkeyPatch) -> None:
    here = make_zoo(Dataset(name="list", target="builtins:list"))
    with pytest.raises(PluginError) as caught:
        load("list", here)
    assert str(caught.value) == "data set 'list' returned list, not a ganzoo.data.ImageSet"
    assert caught.value.exit_code == ExitCode.PLUGIN
