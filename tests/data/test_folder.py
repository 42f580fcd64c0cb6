"""A folder of images: what becomes of each kind of file, and which folders are refused."""

import io
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from ganzoo.data import ImageSet
from ganzoo.data.decode import decode
from ganzoo.errors import ExitCode, UsageError
from ganzoo_plugins.readers.folder import read as read_folder

Put = Callable[..., Path]
Noise = Callable[..., Any]


def read(root: Path, size: int = 8, strict: bool = True) -> ImageSet:
    return decode(read_folder(root), size, strict=strict, source=str(root))


def encoded(form: str, pixels: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", ["png", "PNG", "jpg", "JPG", "jpeg", "webp", "WebP"])
def test_each_format_whatever_the_case_of_its_suffix(put: Put, suffix: str) -> None:
    images = read(put(f"a.{suffix}", Image.new("RGB", (8, 8), (250, 10, 130))))
    assert images.pixels.shape == (1, 3, 8, 8)
    assert np.abs(images.pixels[0].mean((1, 2)) - [250, 10, 130]).max() <= 4


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_lossless_formats_come_through_untouched(put: Put, noise: Noise, suffix: str) -> None:
    pixels = noise(8, 8, 3)
    images = read(put(f"a.{suffix}", Image.fromarray(pixels), lossless=True))
    np.testing.assert_array_equal(images.pixels[0], pixels.transpose(2, 0, 1))


def test_classes_are_the_sorted_names_of_the_sub_folders(put: Put) -> None:
    for value, name in enumerate(["dog/1.png", "cat/2.png", "cat/1.png", "été/deep/er/1.png", "10/1.png", "9/x.jpeg"]):
        root = put(name, Image.new("L", (8, 8), 10 * value))
    images = read(root)
    assert images.class_names == ("10", "9", "cat", "dog", "été")
    assert images.labels is not None
    assert images.labels.tolist() == [0, 1, 2, 2, 3, 4]
    assert images.pixels[:, 0, 0, 0].tolist() == [40, 50, 20, 10, 0, 30]
    assert images.shape.classes == 5


@pytest.mark.parametrize("names", [["a.png", "b.png"], ["only/a.png", "only/b.png"], ["only/x/a.png", "only/x/b.png"]])
def test_one_sub_folder_says_nothing_of_classes(put: Put, names: list[str]) -> None:
    for name in names:
        root = put(name)
    images = read(root)
    assert (images.labels, images.class_names, images.shape.classes, len(images)) == (None, (), 0, 2)


@pytest.mark.parametrize("outer", ["images/", "data/train/"])
def test_a_folder_that_holds_everything_is_no_class(put: Put, outer: str) -> None:
    put(f"{outer}x/a.png")
    images = read(put(f"{outer}y/deep/b.png"))
    assert images.class_names == ("x", "y")


@pytest.mark.parametrize("folders", [["cat"], ["cat", "dog"]])
def test_images_beside_class_folders_are_refused(put: Put, folders: list[str]) -> None:
    for name in [*(f"{folder}/1.png" for folder in folders), "stray.png"]:
        root = put(name)
    with pytest.raises(UsageError) as caught:
        read(root)
    assert str(caught.value) == (
        f"{root}: images lie beside the class folders (stray.png, for one), so their class is unknown"
    )
    assert caught.value.hint == "move them into a class folder, or give a folder with only one of the two"
    assert caught.value.exit_code == ExitCode.USAGE


def test_linked_folders_are_classes_too(put: Put, tmp_path: Path) -> None:
    root = put("cat/1.png")
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    shutil.copy(root / "cat" / "1.png", tmp_path / "elsewhere" / "deep" / "1.png")
    (root / "dog").symlink_to(tmp_path / "elsewhere")
    (root / "emu").symlink_to(root / "cat")
    images = read_folder(root)
    assert (images.names, images.class_names) == (["cat/1.png", "dog/deep/1.png", "emu/1.png"], ("cat", "dog", "emu"))


@pytest.mark.parametrize("target", [".", "..", "cat", "../other"])
def test_links_that_lead_back_are_followed_once(put: Put, tmp_path: Path, target: str) -> None:
    root = put("cat/1.png")
    put("dog/2.png")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "back").symlink_to(root)
    (root / "cat" / "link").symlink_to(root / target)
    assert read_folder(root).names == ["cat/1.png", "dog/2.png"]


def test_a_folder_that_cannot_be_read_is_no_empty_folder(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    put("cat/1.png")
    root = put("dog/2.png")
    scan = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path).name == "dog":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(UsageError) as caught:
        read_folder(root)
    assert str(caught.value) == f"{root / 'dog'}: the folder cannot be read (Permission denied)"
    assert caught.value.hint == "change its permissions, or move it elsewhere"


def test_other_files_and_hidden_ones_are_passed_over(put: Put) -> None:
    for name in ["a.png", ".hidden.png", ".ipynb_checkpoints/a-checkpoint.png"]:
        root = put(name)
    put("notes.txt", b"not an image")
    (root / "folder.png").mkdir()
    assert len(read(root)) == 1


def test_the_order_does_not_depend_on_the_order_of_writing(put: Put, tmp_path: Path) -> None:
    names = [f"{folder}/{number}.png" for folder in "ba" for number in (10, 9, 1)]
    for value, name in enumerate(names):
        root = put(name, Image.new("L", (8, 8), value))
    there = tmp_path / "elsewhere"
    for name in sorted(names):
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, there / name)
    assert read(root).digest == read(there).digest


# What cannot be read


@pytest.fixture
def damaged(put: Put, noise: Noise) -> Path:
    """Two good images, one cut short, and a text that says it is an image."""
    whole = encoded("PNG", noise(40, 40, 3))
    put("a.png", whole)
    put("b.png", whole[: len(whole) // 2])
    put("c.png", b"I am a text.\n" * 10)
    return put("d.jpg", encoded("JPEG", noise(40, 40, 3)))


def test_unreadable_images_are_named_and_skipped(damaged: Path) -> None:
    images = read(damaged, strict=False)
    assert len(images) == 2
    assert [line.split(":")[0] for line in images.skipped] == ["b.png", "c.png"]
    assert "truncated" in images.skipped[0]
    assert images.skipped[1] == "c.png: not a PNG, JPEG or WebP"
    assert str(damaged) not in "".join(images.skipped)


def test_labels_stay_with_their_images_when_some_are_skipped(put: Put) -> None:
    put("a/1.png", b"")
    put("a/2.png", Image.new("L", (8, 8), 1))
    put("b/1.png", Image.new("L", (8, 8), 2))
    images = read(put("b/0.png", b"no"), strict=False)
    assert images.labels is not None
    assert (images.labels.tolist(), images.pixels[:, 0, 0, 0].tolist()) == ([0, 1], [1, 2])


def test_a_class_without_a_readable_image_is_none(put: Put) -> None:
    put("a/1.png", b"")
    put("b/1.png")
    images = read(put("c/1.png"), strict=False)
    assert images.labels is not None
    assert (images.labels.tolist(), images.class_names) == ([0, 1], ("b", "c"))


def test_one_class_that_remains_says_nothing(put: Put) -> None:
    put("a/1.png", b"")
    images = read(put("b/1.png"), strict=False)
    assert (images.labels, images.class_names, len(images)) == (None, (), 1)


@pytest.mark.parametrize("form", ["EPS", "GIF", "BMP"])
def test_other_formats_are_not_opened_whatever_they_are_called(put: Put, noise: Noise, form: str) -> None:
    put("a.png")
    images = read(put("b.png", encoded(form, noise(8, 8))), strict=False)
    assert images.skipped == ("b.png: not a PNG, JPEG or WebP",)


def test_strict_refuses_and_names_the_first(damaged: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(damaged)
    assert str(caught.value).startswith(f"{damaged}: 2 of 4 images cannot be read; the first is b.png: ")
    assert caught.value.hint == "mend or remove them, or leave out --strict to skip them"


@pytest.mark.parametrize("strict", [False, True])
def test_a_folder_with_nothing_but_unreadable_images(put: Put, strict: bool) -> None:
    put("a.png", b"")
    root = put("b.png", b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UsageError) as caught:
        read(root, strict=strict)
    assert str(caught.value).startswith(f"{root}: 2 of 2 images cannot be read; the first is a.png: ")
    assert caught.value.hint == "is this the right folder?"


def test_a_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(UsageError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"{tmp_path}: no images"
    assert caught.value.hint == "it should hold .png, .jpg, .jpeg, .webp files, or sub-folders of them"


@pytest.mark.parametrize("factor", [1, 2])
def test_a_decompression_bomb_is_not_opened(put: Put, monkeypatch: pytest.MonkeyPatch, factor: int) -> None:
    """Pillow warns above its limit, and refuses above twice that; either is an unreadable image here."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 64 // factor - 1)
    put("a.png")
    images = read(put("bomb.png", Image.new("L", (64, 64))), strict=False)
    assert len(images) == 1
    assert images.skipped[0].startswith("bomb.png: Image size (4096 pixels) exceeds limit of ")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_whatever_is_damaged_is_read_or_named(put: Put, noise: Noise, form: str) -> None:
    chance = random.Random(form)
    suffix = form.lower()
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(16, 16, 3)).save(buffer, form, exif=exif)
    for number in range(60):
        data = bytearray(buffer.getvalue())
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        put(f"{number}.{suffix}", bytes(data[: chance.randint(1, 2 * len(data))]))
    images = read(put(f"whole.{suffix}", buffer.getvalue()), strict=False)
    assert len(images) + len(images.skipped) == 61
    assert images.skipped
    upright = np.asarray(ImageOps.exif_transpose(Image.open(buffer)).resize((8, 8), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(images.pixels[-1], upright.transpose(2, 0, 1))
