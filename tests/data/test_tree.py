"""One tree has one meaning, as a folder, a ZIP and a tar; what systems leave behind and test sets are none of it."""

import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from ganzoo.data import ImageSet, Split, load
from ganzoo.errors import UsageError
from ganzoo.zoo.names import zoo

Tree = dict[str, bytes]
Write = Callable[[Path, Tree], Path]


def png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (2, 2), value % 256).save(buffer, "PNG")
    return buffer.getvalue()


def written_as_folder(root: Path, tree: Tree) -> Path:
    for name, content in tree.items():
        (root / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "tree" / name).write_bytes(content)
    return root / "tree"


def written_as_zip(root: Path, tree: Tree) -> Path:
    with zipfile.ZipFile(root / "tree.zip", "w") as archive:
        for name, content in tree.items():
            archive.writestr(name, content)
    return root / "tree.zip"


def written_as_tar(root: Path, tree: Tree) -> Path:
    with tarfile.open(root / "tree.tar", "w") as archive:
        for name, content in tree.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return root / "tree.tar"


FORMS: tuple[Write, ...] = (written_as_folder, written_as_zip, written_as_tar)

forms = pytest.mark.parametrize("write", FORMS, ids=["folder", "zip", "tar"])


def read(path: Path, **options: Any) -> Split:
    return load(str(path), zoo(), **{"size": 2, **options})


def images(*names: str) -> Tree:
    """An image for each name, of a grey of its own."""
    return {name: png(value) for value, name in enumerate(names)}


def counts(images: ImageSet | None) -> dict[str, int]:
    if images is None or images.labels is None:
        return {}
    return dict(zip(images.class_names, np.bincount(images.labels).tolist(), strict=True))


def meaning(path: Path) -> Any:
    """All that a training would see of a source, or why it is refused."""
    try:
        found = read(path, held_out=0.0)
    except UsageError as error:
        return str(error).replace(str(path), "PATH")
    held_out = found.held_out
    training = found.training
    return (
        *(training.digest, training.class_names, training.skipped, training.told),
        *((held_out.digest, held_out.class_names) if held_out else ()),
    )


# One meaning

FOLDERS = ["cat", "cat-big", "cat.d", "Cat", "été", "10", "9", "train", "val", "test", "images", "@eaDir", ".git"]
STEMS = ["1", "10", "2", "a", "a.b", "A", "a-b", "._1", "x y"]
SUFFIXES = [".png", ".png", ".PNG", ".jpg", ".txt", ".cls", ".json", ".bmp", ""]

paths = st.tuples(
    st.lists(st.sampled_from(FOLDERS), max_size=3), st.sampled_from(STEMS), st.sampled_from(SUFFIXES)
).map(lambda found: "/".join([*found[0], found[1] + found[2]]))

contents = st.one_of(
    st.integers(0, 255).map(png),
    st.sampled_from([b"", b"3", b"cat", b'{"label": 1}', b'{"label": "x"}', b"{", b"\xe9"]),
)


def is_a_tree(tree: Tree) -> bool:
    """No path leads through a file."""
    return not any(other.startswith(f"{name}/") for name in tree for other in tree)


@settings(deadline=None)
@given(st.dictionaries(paths, contents, min_size=1, max_size=9).filter(is_a_tree))
def test_a_tree_means_the_same_as_folder_zip_and_tar(tmp_path_factory: pytest.TempPathFactory, tree: Tree) -> None:
    root = tmp_path_factory.mktemp("tree")
    means = [meaning(write(root, tree)) for write in FORMS]
    assert means[1] == means[0]
    assert means[2] == means[0]


@given(st.permutations(sorted(images("a/1.png", "a/10.png", "a/2.png", "a-b/1.png", "a.b/1.png", "B/1.png").items())))
def test_the_order_in_an_archive_does_not_count(tmp_path_factory: pytest.TempPathFactory, members: Any) -> None:
    root = tmp_path_factory.mktemp("order")
    means = {meaning(write(root, dict(members))) for write in FORMS}
    assert len(means) == 1


@forms
def test_folders_that_hold_everything_are_no_classes(tmp_path: Path, write: Write) -> None:
    tree = images("set/images/cat/1.png", "set/images/dog/old/2.png") | {"set/readme.txt": b"x"}
    assert counts(read(write(tmp_path, tree)).training) == {"cat": 1, "dog": 1}


@forms
def test_names_of_one_text_in_two_forms_are_one_class(tmp_path: Path, write: Write) -> None:
    """Files from macOS beside files from Linux: the accent as a character of its own, and not."""
    tree = images("caf\u00e9/1.png", "cafe\u0301/2.png", "tea/3.png")
    assert counts(read(write(tmp_path, tree), held_out=0).training) == {"caf\u00e9": 2, "tea": 1}


# Labels


@forms
def test_dataset_json_labels_and_folders_say_nothing(tmp_path: Path, write: Write) -> None:
    tree = images(*(f"0000{number % 2}/img{number}.png" for number in range(6)))
    tree["dataset.json"] = json.dumps({"labels": [[name, place % 3 + 4] for place, name in enumerate(tree)]}).encode()
    assert counts(read(write(tmp_path, tree), held_out=0).training) == {"4": 2, "5": 2, "6": 2}


@forms
@pytest.mark.parametrize("content", [{"name": "my photos"}, {"images": []}])
def test_dataset_json_of_somebody_else(tmp_path: Path, write: Write, content: Any) -> None:
    tree = images("cat/1.png", "dog/1.png") | {"dataset.json": json.dumps(content).encode()}
    found = read(write(tmp_path, tree)).training
    assert counts(found) == {"cat": 1, "dog": 1}
    assert found.told == ("kinds of files that are not read: 1 .json (dataset.json)",)


@forms
@pytest.mark.parametrize("content", [b'{"images": []}', b"[]", b"{", b"\xff", b'{"labels": 7}'])
def test_dataset_json_of_somebody_else_in_a_folder(tmp_path: Path, write: Write, content: bytes) -> None:
    tree = images("cat/1.png", "dog/1.png") | {"cat/dataset.json": content}
    assert counts(read(write(tmp_path, tree)).training) == {"cat": 1, "dog": 1}


@forms
def test_files_beside_the_images_label_them(tmp_path: Path, write: Write) -> None:
    tree = images("x/1.png", "x/2.png", "y/3.png") | {"x/1.cls": b"7", "x/2.json": b'{"label": 5}', "y/3.CLS": b"7"}
    assert counts(read(write(tmp_path, tree), held_out=0).training) == {"5": 1, "7": 2}


@forms
def test_json_that_labels_nothing_leaves_folders_as_classes(tmp_path: Path, write: Write) -> None:
    tree = images("x/1.png", "y/2.png") | {"x/1.json": b'{"caption": "a cat"}', "y/2.json": b"{}"}
    assert counts(read(write(tmp_path, tree)).training) == {"x": 1, "y": 1}


# What is left behind

LEFT_BEHIND = [
    *("@eaDir/1.png/SYNOPHOTO_THUMB_M.png", "cat/@eaDir/1.png", "#recycle/1.png", "@Recycle/1.png"),
    *("desktop.ini", "cat/Thumbs.db", "Desktop.ini", "Icon\r", ".DS_Store", "cat/._1.png", "__MACOSX/cat/._1.png"),
    *("__MACOSX/cat/1.png", ".ipynb_checkpoints/1-checkpoint.png", "cat/.1.png.Xy12ab", "cat/1.png~", "photos~/1.png"),
    *("lost+found/1.png", "$RECYCLE.BIN/$R1.png", "System Volume Information/1.png", ".Trash-1000/files/1.png"),
    *(".dropbox.cache/1.png", ".tmp.driveupload/1.png", ".stversions/1.png", "cat/1.sync-conflict-20260101-120000.png"),
    *("cat/1 (Ann's conflicted copy 2026-01-01).png", "cat/2.png.crdownload", "cat/2.png.partial", "2.png.part/1.png"),
    *("~$list.docx", ".git/1.png", "#1.png#", "found.000/1.png", "cat/~syncthing~1.png.tmp"),
    *("cat/PaxHeaders.1234/1.png", "PaxHeader/1.png", "_gsdata_/1.png", "cat/2.png.!ut"),
]


@forms
@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_what_systems_leave_behind_is_no_image_and_no_class(tmp_path: Path, write: Write, name: str) -> None:
    tree = images("cat/1.png", "dog/1.png")
    alone, beside = tmp_path / "alone", tmp_path / "beside"
    alone.mkdir()
    beside.mkdir()
    assert meaning(write(beside, tree | {name: png(9)})) == meaning(write(alone, tree))


# Parts of a set


@forms
@pytest.mark.parametrize("training", ["train", "Training", "train2017", "train_images", "trainset", "train-1"])
@pytest.mark.parametrize("other", ["val", "valid", "Validation", "val2017", "test", "dev", "eval", "held_out", "test1"])
def test_a_folder_that_is_called_like_a_test_set_is_held_out(
    tmp_path: Path, write: Write, training: str, other: str
) -> None:
    tree = images(*(f"set/{part}/{name}/{part}.png" for part in (training, other) for name in ("cat", "dog")))
    found = read(write(tmp_path, tree), held_out=0)
    assert counts(found.training) == counts(found.held_out) == {"cat": 1, "dog": 1}
    assert {image.tobytes() for image in found.training.pixels} == {bytes([0] * 4), bytes([1] * 4)}


@forms
@pytest.mark.parametrize(
    ("training", "other"),
    [
        *(("seg_train", "seg_test"), ("seg_train/seg_train", "seg_test/seg_test"), ("train/train", "test1/test1")),
        *(("DIV2K_train_HR", "DIV2K_valid_HR"), ("01_train", "02_test"), ("01. Training", "02. Validation")),
        *(("flowers-train-v2", "flowers-val-v1"), ("train", "validate"), ("Set/my train set", "Set/my test set")),
    ],
)
def test_a_word_in_which_two_names_differ_makes_them_parts(
    tmp_path: Path, write: Write, training: str, other: str
) -> None:
    tree = images(*(f"{part}/{name}/1.png" for part in (training, other) for name in ("cat", "dog")))
    found = read(write(tmp_path, tree), held_out=0)
    assert counts(found.training) == counts(found.held_out) == {"cat": 1, "dog": 1}
    assert found.training.pixels.max() == 1


@forms
@pytest.mark.parametrize(
    "names", [("bullet_train", "test_tube"), ("eye_test", "eye_chart"), ("train_station", "crash_test")]
)
def test_words_in_names_that_differ_otherwise_make_classes(
    tmp_path: Path, write: Write, names: tuple[str, str]
) -> None:
    tree = images(*(f"{name}/{number}.png" for name in names for number in range(2)))
    assert counts(read(write(tmp_path, tree), held_out=0).training) == dict.fromkeys(sorted(names), 2)


@forms
def test_one_part_is_held_out_and_the_others_are_left_out(tmp_path: Path, write: Write) -> None:
    names = ["train/cat/1", "train/dog/1", "val/cat/2", "val/dog/2", "test/cat/3", "test/dog/3"]
    found = read(write(tmp_path, images(*(f"{name}.png" for name in names))))
    assert (counts(found.training), counts(found.held_out)) == ({"cat": 1, "dog": 1}, {"cat": 1, "dog": 1})
    assert found.held_out is not None
    assert found.held_out.pixels.max() == 3
    assert found.training.told == (
        "images of 'val' that are held out: 2",
        "images of 'test' that are left out: 2, because held out is 'val'",
    )


@forms
def test_a_test_set_without_classes_is_left_out(tmp_path: Path, write: Write) -> None:
    found = read(write(tmp_path, images("train/cat/1.png", "train/dog/2.png", "test/3.png", "test/4.png")))
    assert (counts(found.training), found.held_out) == ({"cat": 1, "dog": 1}, None)
    assert "images of 'test' that are left out: 2, because their classes are not those" in found.training.told[0]


@forms
def test_a_test_set_beside_classes_or_in_them_is_never_trained_on(tmp_path: Path, write: Write) -> None:
    beside, inside = tmp_path / "beside", tmp_path / "inside"
    beside.mkdir()
    inside.mkdir()
    found = read(write(beside, images("cat/1.png", "dog/1.png", "test/cat/2.png", "test/dog/2.png")))
    assert (counts(found.training), counts(found.held_out)) == ({"cat": 1, "dog": 1}, {"cat": 1, "dog": 1})
    found = read(
        write(inside, images(*(f"{name}/{part}/1.png" for name in ("nut", "pill") for part in ("train", "test"))))
    )
    assert (counts(found.training), counts(found.held_out)) == ({"nut": 1, "pill": 1}, {"nut": 1, "pill": 1})


@forms
def test_a_train_is_a_class_like_a_bus(tmp_path: Path, write: Write) -> None:
    tree = images(*(f"{name}/{number}.png" for name in ("bus", "train", "tram") for number in range(2)))
    assert counts(read(write(tmp_path, tree), held_out=0).training) == {"bus": 2, "train": 2, "tram": 2}


@forms
@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["val/1", "test/1"], "holds names of validation and test sets alone"),
        (["train/1", "test/1", "unlabelled/1"], "holds images beside its parts"),
        (["seg_train/1", "seg_test/1", "seg_pred/1"], "holds images beside its parts"),
    ],
)
def test_parts_of_which_none_is_to_be_trained_on(tmp_path: Path, write: Write, names: list[str], problem: str) -> None:
    path = write(tmp_path, images(*(f"{name}.png" for name in names)))
    with pytest.raises(UsageError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: {problem}"
    assert caught.value.hint == "give the folder or file to train on, such as …/train"


def test_a_set_of_which_only_held_out_images_can_be_read(tmp_path: Path) -> None:
    path = written_as_folder(tmp_path, images("train/1.png", "val/1.png") | {"train/1.png": b"no image"})
    with pytest.raises(UsageError, match="no image to train on can be read"):
        read(path)


# What is passed over


@forms
def test_other_formats_are_counted_and_named(tmp_path: Path, write: Write) -> None:
    tree = images("cat/1.png") | {f"dog/{number}.BMP": b"BM" for number in range(4)} | {"dog/none": b"x"}
    assert read(write(tmp_path, tree)).training.told == (
        "kinds of files that are not read: 4 .bmp (dog/0.BMP), 1 no suffix (dog/none)",
    )


def test_links_that_lead_nowhere_are_counted_and_named(tmp_path: Path) -> None:
    path = written_as_folder(tmp_path, images("1.png"))
    for name in ("2.png", "3.png", "dogs", ".hidden.png"):
        (path / name).symlink_to(tmp_path / "gone" / name)
    os.mkfifo(path / "4.png")
    assert read(path).training.told == (
        "links that lead nowhere: 3 (2.png, for one)",
        "entries that are neither files nor folders: 1 (4.png, for one)",
    )


@forms
def test_a_time_in_a_name_is_no_drive(tmp_path: Path, write: Write) -> None:
    assert len(read(write(tmp_path, images("1:30.png", "2:45.png")), held_out=0).training) == 2


@forms
def test_names_that_differ_in_case_are_different_images(tmp_path: Path, write: Write) -> None:
    assert len(read(write(tmp_path, images("a.png", "a.PNG", "A.png")), held_out=0).training) == 3


# Names that are not UTF-8

LATIN1 = os.fsdecode(b"caf\xe9")


def written_in_bytes(root: Path, name: bytes) -> Path:
    folder = os.path.join(os.fsencode(root), name)
    os.makedirs(folder, exist_ok=True)
    for number in range(2):
        with open(os.path.join(folder, b"%d\xe9.png" % number), "wb") as file:
            file.write(png(number))
    return root


@pytest.mark.parametrize(
    ("name", "wanted"), [(b"caf\xe9", r"caf\xe9"), (b"a\nb", r"a\nb"), (b"a\x1b[2J", r"a\x1b[2J"), (b"\xff", r"\xff")]
)
def test_a_class_whose_name_cannot_be_stored_or_shown_is_written_out(tmp_path: Path, name: bytes, wanted: str) -> None:
    written_in_bytes(tmp_path / "tree", name)
    path = written_in_bytes(tmp_path / "tree", b"tea")
    with tarfile.open(tmp_path / "tree.tar", "w") as archive:
        archive.add(path, ".")
    for each in (path, tmp_path / "tree.tar"):
        found = read(each, held_out=0).training
        assert counts(found) == {wanted: 2, "tea": 2}


def test_a_file_whose_name_is_not_utf8_is_read_and_can_be_told(tmp_path: Path) -> None:
    path = written_in_bytes(tmp_path / "tree", b"x")
    with open(os.path.join(os.fsencode(path), b"x", b"\n\xe9.png"), "wb") as file:
        file.write(b"no image")
    found = read(path, held_out=0).training
    assert len(found) == 2
    assert found.skipped == (r"x/\n\xe9.png: not a PNG, JPEG or WebP",)


@pytest.mark.parametrize("place", ["set", "above", "link"])
def test_a_set_whose_own_name_is_not_utf8_is_refused_at_once(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / LATIN1
    written_in_bytes(root / "x" if place == "above" else root, b"")
    given = {"set": root, "above": Path("x"), "link": tmp_path / "link"}[place]
    (tmp_path / "link").symlink_to(root)
    monkeypatch.chdir(root)
    with pytest.raises(UsageError) as caught:
        read(given)
    assert "this path is not UTF-8, so no record could keep it" in str(caught.value)
    assert r"caf\xe9" in str(caught.value)
    str(caught.value).encode()
