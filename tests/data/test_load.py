"""``--data``: what a source stands for; the set itself, its identity and its size; the digits."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo.data import ImageSet, load
from ganzoo.data.packing import pack
from ganzoo.data.resize import resized
from ganzoo.data.split import split
from ganzoo.errors import ExitCode, NotFoundError, PluginError, UsageError
from ganzoo.specs import Dataset, ImageShape, Reader
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


@pytest.mark.parametrize("source", ["./gone", "gone/", "../gone", "~/gone", "a" * 5000])
def test_a_path_that_is_not_there_is_taken_for_a_path(source: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        load(source, zoo())
    assert ("no such file or folder" in str(caught.value)) == (source[0] != "a")


def test_an_address_is_no_path() -> None:
    with pytest.raises(UsageError, match=r"--data https://example\.org/x\.zip: "):
        load("https://example.org/x.zip", zoo())


def test_nothing_names_nothing() -> None:
    for source in ("", "-"):
        with pytest.raises(UsageError, match="--data: "):
            load(source, zoo())


@pytest.mark.parametrize("name", ["x.npz", "x.zip", "x.tar", "x.parquet", "train-images-idx3-ubyte", "train.bin"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UsageError) as caught:
        load(str(tmp_path / name), zoo())
    assert str(caught.value) == f"--data {tmp_path / name}: the file is empty"


@pytest.mark.parametrize("name", ["x.npz", "x.zip", "x.tar"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(UsageError, match="this is no file"):
        load(str(tmp_path / name), zoo())


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        (["t10k-images-idx3-ubyte", "train-images-idx3-ubyte"], "--data {root}/train-images-idx3-ubyte"),
        (["test/0.parquet", "train/0.parquet"], "--data {root}/train"),
        (["data_batch_1", "data_batch_2", "batches.meta"], "get the binary version, or use --data cifar10"),
        (["dataset_info.json", "state.json", "data-00000-of-00001.arrow"], "load it by load_from_disk"),
        (["README.md", "data/train-00000-of-00001.parquet"], "--data {root}/data"),
        (["train_X.bin", "train_y.bin", "test_X.bin"], "this is STL-10's binary version"),
        (["train/00000.tar", "val/00000.tar"], "--data {root}/train"),
        (["a.npz", "b.npz"], "--data {root}/a.npz"),
        (["x.h5"], "write the arrays of an HDF5 file"),
        (["cifar-10-batches-bin/data_batch_1.bin"], "--data {root}/cifar-10-batches-bin"),
        (["notes.txt"], "it should hold .png, .jpg, .jpeg, .webp files"),
    ],
)
def test_a_folder_of_another_form_is_known(tmp_path: Path, files: list[str], hint: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UsageError) as caught:
        load(str(tmp_path), zoo())
    assert str(caught.value) == f"{tmp_path}: no images"
    assert hint.format(root=tmp_path) in (caught.value.hint or "")


# Classes


def read_foreign(path: Path) -> ImageSet:
    """What somebody else's reader gives: classes that no image has, names that no record can hold."""
    return four(class_names=("a\ud800", "b\nc", "never"), skipped=("\udce9: gone",), notes=("\x1b[2J",))


def test_classes_without_images_are_left_out_whatever_the_reader_is(tmp_path: Path, make_zoo: MakeZoo) -> None:
    (tmp_path / "x.foreign").write_bytes(b"x")
    here = make_zoo(Reader(name="foreign", target=f"{__name__}:read_foreign", files=("*.foreign",)))
    found = load(str(tmp_path / "x.foreign"), here, held_out=0.5)
    assert found.training.class_names == ("a\\ud800", "b\\nc")
    assert found.training.skipped == ("\\xe9: gone",)
    assert found.training.told == ("\\x1b[2J",)
    assert found.held_out is not None
    assert found.held_out.class_names == found.training.class_names


@pytest.mark.parametrize("held_out", [0, 0.25])
def test_classes_without_images_are_left_out_of_arrays_and_packs(tmp_path: Path, held_out: float) -> None:
    images = four(labels=np.array([0, 3, 3, 0]), class_names=("a", "no", "none", "b"))
    labels = np.array([0, 3, 3, 0])
    np.savez(tmp_path / "x.npz", images=images.pixels[:, 0], labels=labels, class_names=images.class_names)
    pack(images, tmp_path / "x.npy", size=None, held_out=held_out, strict=True, name="x")
    found = load(str(tmp_path / "x.npz"), zoo(), held_out=held_out)
    packed = load(str(tmp_path / "x.npy"), zoo())
    for each in (found, packed):
        assert each.training.class_names == ("a", "b")
        assert each.training.shape.classes == 2
    assert packed.training.digest == found.training.digest


def test_a_class_that_is_left_alone_says_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", images=four().pixels[:, 0], labels=[1, 1, 1, 1], class_names=["a", "b"])
    found = load(str(tmp_path / "x.npz"), zoo(), held_out=0.25)
    assert (found.training.labels, found.training.class_names) == (None, ())
    assert found.held_out is not None
    assert found.held_out.shape == found.training.shape


def test_what_the_data_holds_out_is_held_out(make_zoo: MakeZoo, tmp_path: Path) -> None:
    mask = np.array([False, True, True, False])
    found = split(four(held_out=mask), 0.9)
    assert found.held_out is not None
    assert (len(found.training), len(found.held_out)) == (2, 2)
    np.testing.assert_array_equal(found.held_out.pixels, four().pixels[mask])
    assert found.training.held_out is None
    pack(four(held_out=mask), tmp_path / "x.npy", size=None, held_out=0, strict=True, name="x")
    packed = load(str(tmp_path / "x.npy"), zoo())
    assert packed.held_out is not None
    assert (packed.training.digest, packed.held_out.digest) == (found.training.digest, found.held_out.digest)
    with pytest.raises(UsageError, match="no image to train on can be read"):
        split(four(held_out=np.ones(4, bool)), 0)
    with pytest.raises(UsageError, match="held_out must be a bool array"):
        four(held_out=np.ones(3, bool))
