"""StyleGAN's ZIP and WebDataset's tar: labels, names, damage, and what no archive should hold."""

import io
import json
import struct
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ganzoo.data import EncodedImages
from ganzoo.data import decode as decoding
from ganzoo.data.decode import decode
from ganzoo.errors import ExitCode, UsageError
from ganzoo_plugins.readers import stylegan, webdataset

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)


def png(pixels: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


FILES = [png(pixels) for pixels in PIXELS]
Members = list[tuple[str, bytes]]


def zipped(path: Path, members: Members, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def tarred(path: Path, members: Members) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def pixels(images: EncodedImages) -> Any:
    return decode(images, 8, strict=True, source="x").pixels.transpose(0, 2, 3, 1)


def labels_of(images: EncodedImages) -> Any:
    return None if images.labels is None else images.labels.tolist()


def refusal(read: Any, path: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(path)
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.hint
    assert str(caught.value).startswith(f"{path}: ")
    return caught.value


# ZIP

NAMES = [f"0000{number % 3}/img{number:08}.png" for number in range(12)]
ORDER = sorted(range(12), key=NAMES.__getitem__)


def dataset(labels: Any) -> tuple[str, bytes]:
    return "dataset.json", json.dumps({"labels": labels}).encode()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_zip(tmp_path: Path, method: int) -> None:
    labels = [[name, number % 3 + 4] for number, name in enumerate(NAMES)]
    members = [*zip(NAMES, FILES, strict=True), dataset(labels), ("00000/", b""), ("__MACOSX/._a.png", b"x")]
    images = stylegan.read(zipped(tmp_path / "x.zip", members, method))
    assert images.names == [NAMES[index] for index in ORDER]
    assert images.class_names == ("4", "5", "6")
    assert labels_of(images) == [index % 3 for index in ORDER]
    np.testing.assert_array_equal(pixels(images), PIXELS[ORDER])
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(images.read, list(range(12)) * 20)) == [FILES[index] for index in ORDER] * 20


@pytest.mark.parametrize("extra", [[], [dataset(None)], [("dataset.json", b"{}")]])
def test_zip_without_labels(tmp_path: Path, extra: Members) -> None:
    images = stylegan.read(zipped(tmp_path / "x.zip", [("a.png", FILES[0]), *extra]))
    assert (labels_of(images), images.class_names) == (None, ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no json", "dataset.json cannot be read (Expecting value: line 1 column 1 (char 0))"),
        (b"[]", "dataset.json cannot be read ('list' object has no attribute 'get')"),
        (b'{"labels": 3}', "dataset.json cannot be read ('int' object is not iterable)"),
        (b'{"labels": [["a.png", 1, 2]]}', "dataset.json cannot be read (dictionary update sequence element"),
        (b'{"labels": [["a.png", 0]]}', "dataset.json has no label for 1 images, b.png for one"),
        (b'{"labels": {}}', "dataset.json has no label for 2 images, a.png for one"),
        (
            b'{"labels": [["a.png", 0], ["b.png", 0], ["c.png", 1]]}',
            "dataset.json has labels for 1 images that are not there, c.png for one",
        ),
        (b'{"labels": [["a.png", 0], ["b.png", 0], ["a.png", 1]]}', "dataset.json has 1 labels too many"),
        (b'{"labels": [["a.png", 0], ["b.png", [0, 1]]]}', "[0, 1] is not a class number"),
        (b'{"labels": [["a.png", 0], ["b.png", true]]}', "True is not a class number"),
        (b'{"labels": [["a.png", 0], ["b.png", -1]]}', "labels lie in -1 to 0"),
        (b'{"labels": [["a.png", 0], ["b.png", 1e99]]}', "1e+99 is not a class number"),
        (b'{"labels": [["a.png", 0], ["b.png", 99999999999999999999]]}', "99999999999999999999 is not a class number"),
        (b"[" * 100_000, "dataset.json cannot be read (maximum recursion depth exceeded"),
    ],
)
def test_zip_labels_that_do_not_match(tmp_path: Path, content: bytes, message: str) -> None:
    members = [("a.png", FILES[0]), ("b.png", FILES[1]), ("dataset.json", content)]
    path = zipped(tmp_path / "x.zip", members)
    assert str(refusal(stylegan.read, path)).startswith(f"{path}: {message}")


BAD_NAMES = ["../a.png", "b/../../a.png", "/etc/a.png", "C:/a.png", "..\\a.png", "b\\a.png", ".."]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("form", ["zip", "tar"])
def test_names_that_lead_elsewhere(tmp_path: Path, name: str, form: str) -> None:
    path = tmp_path / f"x.{form}"
    members = [("a.png", FILES[0]), (name, FILES[1])]
    error = refusal(
        *((stylegan.read, zipped(path, members)) if form == "zip" else (webdataset.read, tarred(path, members)))
    )
    assert str(error) == f"{path}: refused, because it holds the name {name!r}"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a.png", "dataset.json"])
def test_zip_with_a_name_twice(tmp_path: Path, name: str) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped(tmp_path / "x.zip", [("a.png", FILES[0]), (name, FILES[0]), (name, FILES[1])])
    assert str(refusal(stylegan.read, path)) == f"{path}: holds {name!r} twice"


def test_zip_that_is_encrypted(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", [("a.png", FILES[0])])
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    assert str(refusal(stylegan.read, path)) == f"{path}: a.png is encrypted"


@pytest.mark.parametrize("content", [b"", b"I am a text.", b"PK\5\6" + bytes(18)])
def test_zip_of_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    assert str(refusal(stylegan.read, path)).startswith((f"{path}: damaged (", f"{path}: no images"))


def test_zip_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member is inflated up to a limit, whatever size it claims."""
    monkeypatch.setattr(decoding.read_file, "__defaults__", (1000,))
    members = [("a.png", FILES[0]), ("bomb.png", bytes(10**6))]
    path = zipped(tmp_path / "x.zip", members, zipfile.ZIP_DEFLATED)
    wanted = "bomb.png: larger than 1,000 bytes"
    assert decode(stylegan.read(path), 8, strict=False, source="x").skipped == (wanted,)
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<I", 10**6), struct.pack("<I", 900)))
    (skipped,) = decode(stylegan.read(path), 8, strict=False, source="x").skipped
    assert skipped.startswith("bomb.png: ")
    path = zipped(path, [("a.png", FILES[0]), ("dataset.json", bytes(10**6))], zipfile.ZIP_DEFLATED)
    assert str(refusal(stylegan.read, path)) == f"{path}: dataset.json cannot be read (larger than 1,000 bytes)"


# tar


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
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(images.read, list(range(12)) * 20)) == FILES * 20


def test_tar_samples_are_told_apart_by_folder_and_first_dot(tmp_path: Path) -> None:
    members = [
        ("a/1.png", FILES[0]),
        ("a/1.seg.png", b"another field"),
        ("b/1.JPG", FILES[1]),
        ("b.x/1.webp", FILES[2]),
        ("b/.hidden.png", b"x"),
        ("b/2.txt", b"x"),
    ]
    images = webdataset.read(tarred(tmp_path / "x.tar", members))
    assert images.names == ["a/1.png", "b/1.JPG", "b.x/1.webp"]
    assert labels_of(images) is None
    np.testing.assert_array_equal(pixels(images), PIXELS[:3])


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
        ([*sample(0, 3), *sample(1)], "1 of 2 images have no label, 000001.png for one"),
        ([*sample(0), ("000000.cls", b"cat")], "000000.cls cannot be read (Expecting value: "),
        ([*sample(0), ("000000.json", b"{")], "000000.json cannot be read (Expecting property name"),
        ([*sample(0), ("000000.json", b'{"label": "cat"}')], "'cat' is not a class number"),
        ([*sample(0), ("000000.cls", b"-3")], "labels lie in -3 to -3"),
        ([*sample(0), ("000000.cls", bytes(2**20 + 1))], "000000.cls cannot be read (larger than 1,048,576 bytes)"),
        ([*sample(0), ("000000.jpg", b"x")], "000000.png and 000000.jpg are two images of one sample"),
        ([*sample(0), *sample(0)], "holds '000000.png' twice"),
        ([("a.txt", b"x")], "no images"),
        ([], "no images"),
    ],
)
def test_tar_that_does_not_fit_together(tmp_path: Path, members: Members, message: str) -> None:
    path = tarred(tmp_path / "x.tar", members)
    assert str(refusal(webdataset.read, path)).startswith(f"{path}: {message}")


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


# Both

FORMS = {"x.zip": (zipped, stylegan.read), "x.tar": (tarred, webdataset.read)}


@pytest.mark.parametrize("name", FORMS)
@given(
    numbers=st.lists(st.integers(0, 11), min_size=1, max_size=5, unique=True),
    values=st.lists(st.integers(0, 255), min_size=5, max_size=5),
    part=st.floats(0, 1, exclude_max=True),
)
def test_any_images_come_back_and_no_part_is_misread(
    tmp_path_factory: pytest.TempPathFactory, name: str, numbers: list[int], values: list[int], part: float
) -> None:
    """A tar is padded with zeros: what is cut there is not missed."""
    write, read = FORMS[name]
    images = {f"{number:02}": np.full((4, 4), value, np.uint8) for number, value in zip(numbers, values, strict=False)}
    path = write(tmp_path_factory.mktemp("any") / name, [(f"{key}.png", png(images[key])) for key in sorted(images)])
    wanted = np.stack([images[key] for key in sorted(images)])
    whole = path.read_bytes()
    for content in (whole, whole[: int(part * len(whole))]):
        path.write_bytes(content)
        try:
            found = decode(read(path), 4, strict=True, source="x").pixels[:, 0]
        except UsageError:
            assert content is not whole
        else:
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=200)
@given(place=st.integers(0, 10**6), value=st.integers(1, 255))
def test_any_damage_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, name: str, place: int, value: int
) -> None:
    write, read = FORMS[name]
    path = write(tmp_path_factory.mktemp("damage") / name, [("a.png", FILES[0]), ("b.png", FILES[1])])
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= value
    path.write_bytes(content)
    try:
        images = decode(read(path), 8, strict=False, source="x")
    except UsageError:
        return
    assert len(images) + len(images.skipped) in (1, 2)
    for found in images.pixels.transpose(0, 2, 3, 1):
        assert any((found == each).all() for each in PIXELS[:2])
