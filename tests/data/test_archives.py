"""ZIP, StyleGAN's among them, and what holds for tar too: labels, names, damage, and what no archive should hold."""

import json
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archives import FILES, PIXELS, Members, labels_of, pixels, png, refusal, tarred, zipped
from hypothesis import given, settings, strategies as st

from ganzoo.data.decode import decode
from ganzoo.errors import UsageError
from ganzoo_plugins.readers import arrays, stylegan, tree, webdataset

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


def test_zip_of_class_folders(tmp_path: Path) -> None:
    """As a folder has them; the one folder that an archive of a folder holds says nothing."""
    for prefix in ("", "./", "photos/"):
        names = [f"{prefix}{name}" for name in ("cat/1.png", "dog/deep/1.png", "dog/2.png")]
        images = stylegan.read(zipped(tmp_path / "x.zip", [(name, FILES[0]) for name in names]))
        assert (labels_of(images), images.class_names) == ([0, 1, 1], ("cat", "dog"))
    images = stylegan.read(zipped(tmp_path / "x.zip", [("cat/1.png", FILES[0]), ("cat/2.png", FILES[1])]))
    assert (labels_of(images), images.class_names) == (None, ())
    members = [("cat/1.png", FILES[0]), ("dog/2.png", FILES[1]), dataset(None)]
    assert labels_of(stylegan.read(zipped(tmp_path / "x.zip", members))) is None


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_images_beside_class_folders(tmp_path: Path, form: str) -> None:
    path, members = tmp_path / f"x.{form}", [("cat/1.png", FILES[0]), ("stray.png", FILES[1])]
    write, read = FORMS[path.name]
    message = "images lie beside the class folders (stray.png, for one), so their class is unknown"
    assert str(refusal(read, write(path, members))) == f"{path}: {message}"


def test_zip_whose_labels_are_not_at_the_root(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    zipped(path, [("set/00000/1.png", FILES[0]), ("set/dataset.json", dataset([["00000/1.png", 1]])[1])])
    error = refusal(stylegan.read, path)
    assert str(error) == f"{path}: set/dataset.json is not at the root, so it is not read"
    assert error.hint == (
        "give the folder that dataset.json is in; in an archive, pack the images again from that folder"
    )


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([["a.png", 0]], "1 of 2 images have no label"),
        ([["a.png", 0], ["b.png", None]], "1 of 2 images have no label"),
        ([["a.png", 0], ["b.png", [0, 1]]], "[0, 1] is neither a class number nor a class name"),
        ([["a.png", [0.5] * 25], ["b.png", [1.5] * 25]], "[0.5, 0.5, "),
        ([["a.png", 0], ["b.png", True]], "True is neither a class number nor a class name"),
        ([["a.png", 0], ["b.png", -1]], "labels lie in -1 to 0"),
        ([["a.png", 0], ["b.png", 1e99]], "1e+99 is neither a class number nor a class name"),
        ([["a.png", 0], ["b.png", 10**20]], f"{10**20} is neither a class number nor a class name"),
        ([], ""),
    ],
)
def test_zip_labels_that_cannot_be_used_stop_nothing(tmp_path: Path, labels: Any, reason: str) -> None:
    members = [("a.png", FILES[0]), ("b.png", FILES[1]), dataset(labels)]
    images = stylegan.read(zipped(tmp_path / "x.zip", members))
    assert (images.labels, len(images.names)) == (None, 2)
    assert images.unlabelled.startswith(reason)
    assert bool(images.unlabelled) == bool(reason)


def test_zip_labels_may_be_names(tmp_path: Path) -> None:
    labels = dataset([["a.png", "dog"], ["b.png", "cat"]])
    images = stylegan.read(zipped(tmp_path / "x.zip", [("a.png", FILES[0]), ("b.png", FILES[1]), labels]))
    assert (labels_of(images), images.class_names) == ([1, 0], ("cat", "dog"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no json", "dataset.json cannot be read (Expecting value: line 1 column 1 (char 0))"),
        (b"[]", "dataset.json cannot be read (it is not a JSON object)"),
        (b'{"labels": 3}', "dataset.json cannot be read ('int' object is not iterable)"),
        (b'{"labels": [["a.png", 1, 2]]}', "dataset.json cannot be read (too many values to unpack"),
        (
            b'{"labels": [["a.png", 0], ["b.png", 0], ["c.png", 1]]}',
            "dataset.json has labels for 1 images that are not there, c.png for one",
        ),
        (b'{"labels": [["a.png", 0], ["b.png", 0], ["a.png", 1]]}', "dataset.json has 1 labels too many"),
        (b"[" * 100_000, "dataset.json cannot be read (it is nested too deeply"),
        (
            b'{"labels": [["a.png", "\\ud800"], ["b.png", "x"]]}',
            "dataset.json cannot be read (it holds half",
        ),
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
    monkeypatch.setattr(tree, "LARGEST", 1000)
    members = [("a.png", FILES[0]), ("bomb.png", bytes(10**6))]
    path = zipped(tmp_path / "x.zip", members, zipfile.ZIP_DEFLATED)
    wanted = "bomb.png: larger than 1,000 bytes"
    assert decode(stylegan.read(path), 8, strict=False, source="x").skipped == (wanted,)
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<I", 10**6), struct.pack("<I", 900)))
    (skipped,) = decode(stylegan.read(path), 8, strict=False, source="x").skipped
    assert skipped.startswith("bomb.png: ")
    path = zipped(path, [("a.png", FILES[0]), ("dataset.json", b"[]," * 10**6)], zipfile.ZIP_DEFLATED)
    assert "dataset.json cannot be read (larger than 1,05" in str(refusal(stylegan.read, path))


@pytest.mark.parametrize("form", ["zip", "npz"])
def test_a_directory_that_claims_to_fill_the_memory(tmp_path: Path, form: str) -> None:
    """Sparse, and so nothing on disk; read whole, it would take four gigabytes."""
    path = tmp_path / f"x.{form}"
    count = 2**32 - 2
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, count, 0, 0)
    with path.open("wb") as file:
        file.truncate(count)
        file.seek(count)
        file.write(end)
    message = str(refusal(arrays.read if form == "npz" else stylegan.read, path))
    assert "damaged" in message or "not a NumPy file" in message


def test_zip_with_a_link(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", FILES[0])
        link = zipfile.ZipInfo("b.png")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "a.png")
    assert str(refusal(stylegan.read, path)) == f"{path}: refused, because b.png is a link"


def test_zip_with_a_folder_that_is_called_like_an_image(tmp_path: Path) -> None:
    members = [("a.png/", b""), ("a.png/1.png", FILES[0]), ("b.png/", b""), ("b.png/2.png", FILES[1])]
    images = stylegan.read(zipped(tmp_path / "x.zip", members))
    assert (images.names, images.class_names) == (["a.png/1.png", "b.png/2.png"], ("a.png", "b.png"))


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
