"""WebDataset's tar: samples, labels, damage, and what no archive should hold."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archives import FILES, PIXELS, Members, labels_of, pixels, refusal, tarred

from ganzoo.errors import UsageError
from ganzoo_plugins.readers import stylegan, webdataset


def sample(number: int, label: int | None = None, form: str = "cls") -> Members:
    content = str(label) if form == "cls" else json.dumps({"label": label, "caption": "x"})
    return [
        (f"{number:06}.png", FILES[number]),
        *([(f"{number:06}.{form}", content.encode())] if label is not None else []),
    ]


@pytest.mark.parametrize("form", ["cls", "json"])
def test_tar_shards(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for shard, numbers in (("b", range(7, 12)), ("a", range(7))):
        members = [member for number in numbers for member in sample(number, number % 2 * 5, form)]
        tarred(folder / f"{shard}.tar", [("meta.txt", b"x"), *members])
    images = webdataset.read(folder)
    assert (labels_of(images), images.class_names) == ([number % 2 for number in range(12)], ("0", "5"))
    np.testing.assert_array_equal(pixels(images), PIXELS)
    assert images.notes == ("kinds of files that are not read: 2 .txt (meta.txt)",)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(images.read, list(range(12)) * 20)) == FILES * 20


def test_tar_samples_are_told_apart_by_folder_and_first_dot(tmp_path: Path) -> None:
    members = [
        ("a/1.png", FILES[0]),
        ("a/1.seg.png", b"another field"),
        ("a/1.cls", b"7"),
        ("b/1.JPG", FILES[1]),
        ("b/1.CLS", b"5"),
        ("b.x/1.webp", FILES[2]),
        ("b.x/1.json", b'{"label": 6}'),
        ("b/.hidden.png", b"x"),
        ("b/2.txt", b"x"),
    ]
    images = webdataset.read(tarred(tmp_path / "x.tar", members))
    assert images.names == ["a/1.png", "b/1.JPG", "b.x/1.webp"]
    assert (labels_of(images), images.class_names) == ([2, 0, 1], ("5", "6", "7"))
    assert images.notes == (
        "kinds of files that are not read: 1 .txt (b/2.txt)",
        "images that are further fields of samples: 1 (a/1.seg.png, for one)",
    )
    np.testing.assert_array_equal(pixels(images), PIXELS[:3])


def test_tar_of_class_folders(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    tarred(folder / "0.tar", [("./cat/1.png", FILES[0]), ("./dog/1.png", FILES[1])])
    tarred(folder / "1.tar", [("./cat/2.png", FILES[2])])
    images = webdataset.read(folder)
    assert images.names == ["cat/1.png", "cat/2.png", "dog/1.png"]
    assert (labels_of(images), images.class_names) == ([0, 0, 1], ("cat", "dog"))
    labelled = [*sample(0, 3), *sample(1, 5)]
    images = webdataset.read(tarred(tmp_path / "x.tar", [(f"{name[5]}/{name}", file) for name, file in labelled]))
    assert images.class_names == ("3", "5")


@pytest.mark.parametrize("form", ["cls", "json"])
def test_tar_whose_names_have_a_dot_too_many(tmp_path: Path, form: str) -> None:
    """WebDataset would make one sample of all; each image is one here, as in a folder, with the label of its name."""
    labels = {"cls": (b"4", b"2"), "json": (b'{"label": 4}', b'{"label": 2}')}[form]
    members = [("img.1.png", FILES[0]), ("img.2.png", FILES[1])]
    images = webdataset.read(tarred(tmp_path / "x.tar", members))
    assert (images.names, images.labels) == (["img.1.png", "img.2.png"], None)
    members += [(f"img.{number}.{form}", label) for number, label in zip((1, 2), labels, strict=True)]
    images = webdataset.read(tarred(tmp_path / "x.tar", members))
    assert (labels_of(images), images.class_names) == ([1, 0], ("2", "4"))


def test_tar_with_folders_and_long_names(tmp_path: Path) -> None:
    long = "x" * 150 + "/" + "y" * 150
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("a/", long, "z/"):
            info = tarfile.TarInfo(name.rstrip("/") + ".png" * (name == long))
            info.type = tarfile.REGTYPE if name == long else tarfile.DIRTYPE
            info.size = len(FILES[0]) * (name == long)
            archive.addfile(info, io.BytesIO(FILES[0]))
    images = webdataset.read(path)
    assert images.names == [f"{long}.png"]
    assert images.read(0) == FILES[0]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([*sample(0, 3), ("000000.jpg", b"x")], "000000.jpg and 000000.png are two images of one sample"),
        ([*sample(0), ("./000000.png", b"x")], "holds './000000.png' twice"),
        ([*sample(0), *sample(0)], "holds '000000.png' twice"),
        ([("a.txt", b"x")], "no images"),
        ([], "no images"),
    ],
)
def test_tar_that_does_not_fit_together(tmp_path: Path, members: Members, message: str) -> None:
    path = tarred(tmp_path / "x.tar", members)
    assert str(refusal(webdataset.read, path)).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([*sample(0, 3), *sample(1)], "1 of 2 images have no label"),
        ([*sample(0), ("000000.json", b"{")], "000000.json cannot be read (Expecting property name"),
        ([*sample(0), ("000000.cls", b"-3")], "labels lie in -3 to -3"),
        ([*sample(0), ("000000.cls", b"2.5")], "2.5 is neither a class number nor a class name"),
        ([*sample(0), ("000000.json", b'{"label": [1]}')], "[1] is neither a class number nor a class name"),
        ([*sample(0), ("000000.json", b'{"label": "\\ud800"}')], "000000.json cannot be read (it holds half a char"),
        ([*sample(0), ("000000.cls", b"caf\xe9")], "000000.cls cannot be read (it is not UTF-8"),
        ([*sample(0), ("000000.cls", bytes(2**20 + 1))], "000000.cls cannot be read (larger than 1,048,576 bytes)"),
        ([*sample(0), ("000000.cls", b"1"), ("000000.CLS", b"2")], "several files label 000000"),
    ],
)
def test_tar_labels_that_cannot_be_used_stop_nothing(tmp_path: Path, members: Members, reason: str) -> None:
    images = webdataset.read(tarred(tmp_path / "x.tar", members))
    assert images.labels is None
    assert images.unlabelled.startswith(reason)


def test_tar_labels_may_be_names(tmp_path: Path) -> None:
    members = [*sample(0), ("000000.cls", b"dog\n"), *sample(1), ("000001.json", b'{"label": "cat"}')]
    members += [*sample(2), ("000002.cls", b'"7"')]
    images = webdataset.read(tarred(tmp_path / "x.tar", members))
    assert (labels_of(images), images.class_names) == ([2, 1, 0], ("7", "cat", "dog"))


def test_tar_shards_of_a_test_set_are_held_out(tmp_path: Path) -> None:
    for name, numbers in (("set-train-0", range(4)), ("set-train-1", range(4, 8)), ("set-test-0", range(8, 12))):
        tarred(tmp_path / f"{name}.tar", [member for number in numbers for member in sample(number, number % 2)])
    images = webdataset.read(tmp_path)
    assert images.held_out is not None
    assert images.held_out.tolist() == [False] * 8 + [True] * 4
    assert images.class_names == ("0", "1")


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K", b"X"])
def test_tar_whose_header_claims_to_fill_the_memory(tmp_path: Path, kind: bytes) -> None:
    """A sparse file, and so nothing on disk; ``tarfile`` would read four gigabytes of name."""
    path = tmp_path / "x.tar"
    header = tarfile.TarInfo("x")
    header.type, header.size = kind, 2**32
    with path.open("wb") as file:
        file.write(header.tobuf())
        file.truncate(2**32 + 4096)
    assert "a part of it has more than 1,048,576 bytes" in str(refusal(webdataset.read, path))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_tar_with_something_else_than_files(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("a.png")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    error = refusal(webdataset.read, path)
    assert str(error) == f"{path}: refused, because a.png is a link, a device or a sparse file"


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tgz", "x.tar"])
def test_tar_that_is_compressed(tmp_path: Path, name: str) -> None:
    tarred(tmp_path / "made.gz", sample(0)).rename(tmp_path / name)
    error = refusal(webdataset.read, tmp_path / name)
    assert (str(error), error.hint) == (f"{tmp_path / name}: compressed", f"gunzip {tmp_path / name}")


def test_tar_damage_in_a_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x.tar", [*sample(0), *sample(1), *sample(2)])
    content = bytearray(path.read_bytes())
    content[content.index(b"000001.png") + 3] ^= 1
    path.write_bytes(content)
    assert "damaged (no end mark after byte" in str(refusal(webdataset.read, path))


def test_an_archive_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x.tar", sample(0))
    images = webdataset.read(path)
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(UsageError, match="the archive ends within it"):
        images.read(0)


def test_an_archive_to_which_another_was_appended_byte_by_byte_is_refused(tmp_path: Path) -> None:
    """``tarfile`` ends at the first end mark: all that follows would be missing without a word."""
    first, second = (tarred(tmp_path / f"{number}.tar", sample(number)).read_bytes() for number in range(2))
    path = tmp_path / "x.tar"
    for joined in (first + second, first + bytes(2**21) + b"x"):
        path.write_bytes(joined)
        assert "more follows after its end mark" in str(refusal(webdataset.read, path))
    path.write_bytes(first + bytes(2**21))  # a tape's, or a disk's, last block
    assert webdataset.read(path).names == ["000000.png"]


@pytest.mark.parametrize(("packer", "program"), [(gzip, "gunzip"), (bz2, "bunzip2"), (lzma, "unxz")])
def test_an_archive_that_is_compressed_says_by_what(tmp_path: Path, packer: Any, program: str) -> None:
    path = tarred(tmp_path / "x.tar", sample(0))
    path.write_bytes(packer.compress(path.read_bytes()))
    error = refusal(webdataset.read, path)
    assert (str(error), error.hint) == (f"{path}: compressed", f"{program} {path}")


def test_a_folder_may_stand_in_an_archive_again(tmp_path: Path) -> None:
    """As after ``tar --append``; files may not."""
    with tarfile.open(tmp_path / "x.tar", "w") as archive, zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        for number, name in enumerate(("cat", "dog", "cat")):
            folder = tarfile.TarInfo(name)
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
            info = tarfile.TarInfo(f"{name}/{number}.png")
            info.size = len(FILES[number])
            archive.addfile(info, io.BytesIO(FILES[number]))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of zipfile, about just that
                packed.writestr(f"{name}/", b"")
            packed.writestr(f"{name}/{number}.png", FILES[number])
    for images in (webdataset.read(tmp_path / "x.tar"), stylegan.read(tmp_path / "x.zip")):
        assert (labels_of(images), images.class_names) == ([0, 0, 1], ("cat", "dog"))


def test_what_lies_beside_shards_is_named(tmp_path: Path) -> None:
    tarred(tmp_path / "old.tar", sample(0))
    for name in ("cat/1.png", "dog/1.png", "@eaDir/1.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(FILES[1])
    (tmp_path / "sizes.json").write_text("{}")
    (tmp_path / ".old.tar.Xy12").touch()
    assert webdataset.read(tmp_path).notes == (
        "kinds of files that are not read: 1 .json (sizes.json)",
        "folders that are not read: 2 (cat, for one)",
    )
