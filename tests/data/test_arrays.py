"""NumPy files: layouts, ranges, labels; nothing in them is ever executed."""

import contextlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from hypothesis.extra.numpy import arrays

from ganzoo.errors import ExitCode, UsageError
from ganzoo_plugins.readers.arrays import AMBIGUOUS, read as read_array

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 3, 8, 6), dtype=np.uint8)
GREY = PIXELS[:, 0]
EITHER = ", which may be meant as [0, 1] or as [-1, 1]"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "images.npz"


def saved(file: Path, **contents: Any) -> Path:
    np.savez(file, **contents)
    return file


@pytest.mark.parametrize(
    ("images", "wanted"),
    [
        (PIXELS, PIXELS),
        (PIXELS.transpose(0, 2, 3, 1), PIXELS),
        (np.asfortranarray(PIXELS), PIXELS),
        (GREY, GREY[:, None]),
        (GREY[:, None], GREY[:, None]),
        (GREY[..., None], GREY[:, None]),
    ],
    ids=["CHW", "HWC", "fortran", "HW", "1HW", "HW1"],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_layouts(tmp_path: Path, images: Any, wanted: Any, suffix: str) -> None:
    path = tmp_path / f"images{suffix}"
    np.save(path, images) if suffix == ".npy" else np.savez(path, images)
    read = read_array(path)
    np.testing.assert_array_equal(read.pixels, wanted)
    assert (read.labels, read.class_names) == (None, ())


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_on_both_ranges(file: Path, dtype: str) -> None:
    """Half precision has 11 bits, so all 256 values come back."""
    values = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    for images in (values / 255, values / 127.5 - 1):
        np.testing.assert_array_equal(read_array(saved(file, images=images.astype(dtype))).pixels[:, 0], values)


@given(arrays(np.float32, (2, 4, 4), elements=st.floats(-1, 1, width=32)))
def test_any_floats_on_the_range_are_rounded_to_the_nearest(
    tmp_path_factory: pytest.TempPathFactory, images: Any
) -> None:
    assume(images.min() >= 0 or images.min() <= AMBIGUOUS)
    read = read_array(saved(tmp_path_factory.mktemp("floats") / "x.npz", images=images)).pixels[:, 0]
    unit = images if images.min() >= 0 else (images + 1) / 2
    assert np.abs(read / 255 - unit).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("excess", [1e-7, 1e-3])
def test_floats_a_little_outside_a_range_are_clipped(file: Path, excess: float) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    for low, high in ((0, 1), (-1, 1)):
        images = np.clip(values / 255 * (high - low) + low, low + 1e-3, high - 1e-3)
        images[0, 0, 0], images[-1, -1, -1] = low - excess, high + excess
        assert np.abs(read_array(saved(file, images=images)).pixels[:, 0].astype(int) - values).max() <= 0


def test_labels_and_class_names(file: Path) -> None:
    read = read_array(saved(file, images=GREY, labels=np.array([1, 0, 2, 1, 0], np.uint8)))
    assert read.labels is not None
    assert read.labels.dtype == np.int64
    assert (read.labels.tolist(), read.class_names) == ([1, 0, 2, 1, 0], ("0", "1", "2"))
    read = read_array(saved(file, images=GREY, labels=[7, 0, 0, 0, 0], class_names=list("abcdefgh")))
    assert (read.class_names, read.shape.classes) == (tuple("abcdefgh"), 8)


def test_numbers_that_occur_are_the_classes(file: Path) -> None:
    read = read_array(saved(file, images=GREY, labels=[7, 3, 3, 7, 900]))
    assert read.labels is not None
    assert (read.labels.tolist(), read.class_names) == ([1, 0, 0, 1, 2], ("3", "7", "900"))


@pytest.mark.parametrize("names", [{}, {"class_names": ["seven"]}])
def test_one_class_is_none(file: Path, names: Any) -> None:
    read = read_array(saved(file, images=GREY, labels=np.zeros(5, int), **names))
    assert (read.labels, read.class_names) == (None, ())


@pytest.mark.parametrize("dtype", ["U", "S"])
def test_class_names_are_plain_strings(file: Path, dtype: str) -> None:
    names = np.array(["cat", "dog", "emu"], dtype)
    read = read_array(saved(file, images=GREY, labels=[0, 1, 2, 1, 0], class_names=names))
    assert read.class_names == ("cat", "dog", "emu")


def test_other_arrays_are_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may be large, or objects."""
    evil = np.array([Payload(file)], dtype=object)
    np.savez(file, images=GREY, embeddings=evil, allow_pickle=True)
    np.testing.assert_array_equal(read_array(file).pixels[:, 0], GREY)


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("form", ["npy", "npz", "bare pickle", "bare pickle as npz"])
def test_a_pickle_is_refused_and_never_run(tmp_path: Path, form: str) -> None:
    bait = tmp_path / "executed"
    evil = np.array([Payload(bait)], dtype=object)
    path = tmp_path / f"images.{'npy' if form in ('npy', 'bare pickle') else 'npz'}"
    match form:
        case "npy":
            np.save(path, evil, allow_pickle=True)
        case "npz":
            np.savez(path, images=evil, allow_pickle=True)
        case _:
            path.write_bytes(pickle.dumps(Payload(bait)))
    with pytest.raises(UsageError) as caught:
        read_array(path)
    assert str(caught.value) == f"{path}: not a NumPy file of plain numbers"
    assert not bait.exists()
    pickle.loads(pickle.dumps(Payload(bait)))
    assert bait.exists()  # so the bait would have been taken


@pytest.mark.parametrize("name", ["labels", "class_names"])
def test_labels_that_are_pickled_are_left_alone(file: Path, name: str) -> None:
    bait = file.with_name("executed")
    np.savez(file, images=GREY, **{name: np.array([Payload(bait)] * 5, dtype=object)}, allow_pickle=True)
    read = read_array(file)
    assert (read.labels, read.unlabelled) == (None, f"{name} are Python's objects, which are pickled and so never read")
    assert not bait.exists()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 8, 8), np.int64), "images are int64"),
        (np.zeros((2, 8, 8), bool), "images are bool"),
        (np.full((2, 8, 8), "x"), "images are <U1"),
        (np.zeros((2, 8, 8), complex), "images are complex128"),
        (np.full((2, 8, 8), np.nan), "images are empty, or hold NaN or infinity"),
        (np.full((2, 8, 8), np.inf), "images are empty, or hold NaN or infinity"),
        (np.zeros((0, 8, 8)), "images are empty, or hold NaN or infinity"),
        (np.full((2, 8, 8), 200.0), "images lie in [200, 200]"),
        (np.linspace(-1.5, 1, 128).reshape(2, 8, 8), "images lie in [-1.5, 1]"),
        (np.linspace(-1.01, 1, 128).reshape(2, 8, 8), "images lie in [-1.01, 1]"),
        (np.linspace(0, 1.01, 128).reshape(2, 8, 8), "images lie in [0, 1.01]"),
        (np.linspace(-0.2, 1, 128).reshape(2, 8, 8), f"images lie in [-0.2, 1]{EITHER}"),
        (np.linspace(-0.002, 1, 128).reshape(2, 8, 8), f"images lie in [-0.002, 1]{EITHER}"),
        (np.zeros((28, 28, 3), np.uint8), "images have shape [28, 28, 3], which is one image [H, W, C]"),
        (np.zeros((28, 28, 1), np.uint8), "images have shape [28, 28, 1], which is one image [H, W, C]"),
        (np.zeros((8, 8, 9), np.uint8), "images have shape [8, 8, 9], which looks like [H, W, N], MATLAB's order"),
        (np.zeros((8, 8), np.uint8), "images have shape [8, 8]"),
        (np.zeros((), np.uint8), "images have shape []"),
        (np.zeros((2, 4, 8, 8), np.uint8), "images have shape [2, 4, 8, 8]"),
        (np.zeros((2, 2, 3, 8, 8), np.uint8), "images have shape [2, 2, 3, 8, 8]"),
        (np.zeros((0, 8, 8), np.uint8), "images must be a non-empty uint8 array [N, C, H, W], not uint8 [0, 1, 8, 8]"),
        (np.zeros((4, 0, 0), np.uint8), "images must be a non-empty uint8 array [N, C, H, W], not uint8 [4, 1, 0, 0]"),
    ],
)
def test_images_that_cannot_be_used(file: Path, images: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_array(saved(file, images=images))
    assert str(caught.value) == f"{file}: {message}"
    assert caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("labels", [[0, 1, 2], np.zeros(0, np.int64), 7])
def test_labels_of_another_set(file: Path, labels: Any) -> None:
    with pytest.raises(UsageError, match="5 images, but labels of shape") as caught:
        read_array(saved(file, images=GREY, labels=labels))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (np.eye(5), "labels have shape [5, 5], not one number or name an image"),
        ([0.0, 1, 2, 1, 0], "0.0 is neither a class number nor a class name"),
        ([True, False, True, True, True], "True is neither a class number nor a class name"),
        ([0, -1, 2, 1, 0], "labels lie in -1 to 2"),
        (
            np.array([0, 1, 2, 1, 2**64 - 1], np.uint64),
            "18446744073709551615 is neither a class number nor a class name",
        ),
    ],
)
def test_labels_that_cannot_be_used_stop_nothing(file: Path, labels: Any, reason: str) -> None:
    read = read_array(saved(file, images=GREY, labels=labels))
    assert (read.labels, read.class_names, read.unlabelled) == (None, (), reason)
    assert read.told == (f"the images count as unlabelled: {reason}",)


@pytest.mark.parametrize("labels", [list("baacb"), np.array(list("baacb"), "S"), [["b"], ["a"], ["a"], ["c"], ["b"]]])
@pytest.mark.parametrize("names", [{}, {"class_names": list("abc")}])
def test_labels_may_be_names(file: Path, labels: Any, names: Any) -> None:
    read = read_array(saved(file, images=GREY, labels=labels, **names))
    assert read.labels is not None
    assert (read.labels.tolist(), read.class_names) == ([1, 0, 0, 2, 1], ("a", "b", "c"))


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64])
def test_groups(file: Path, dtype: Any) -> None:
    read = read_array(saved(file, images=GREY, groups=np.array([7, 7, 0, 1, 7], dtype)))
    assert read.groups is not None
    assert read.groups.dtype == np.int64
    assert read.groups.tolist() == [7, 7, 0, 1, 7]
    assert read.told == ()
    assert read.digest == read_array(saved(file, images=GREY)).digest


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        (np.zeros(4, int), r"groups must be an int64 array \[5\], one an image, not int64 \[4\]"),
        (np.zeros((5, 1), int), r"groups must be an int64 array \[5\], one an image, not int64 \[5, 1\]"),
        (np.zeros(5), r"groups must be whole numbers, one an image, not float64 \[5\]"),
        (np.array(list("abcde")), r"groups must be whole numbers, one an image, not <U1 \[5\]"),
        (np.array([{}] * 5), "groups are Python's objects, which are pickled and so never read"),
    ],
)
def test_groups_that_cannot_be_used_are_refused(file: Path, groups: Any, reason: str) -> None:
    """Unlike labels: figures against images that have near-copies in training would flatter."""
    with pytest.raises(UsageError, match=f"images.npz: {reason}"):
        read_array(saved(file, images=GREY, groups=groups))


def test_labels_in_a_column(file: Path) -> None:
    """As Keras has CIFAR's."""
    read = read_array(saved(file, images=GREY, labels=[[0], [1], [2], [1], [0]]))
    assert read.labels is not None
    assert read.labels.tolist() == [0, 1, 2, 1, 0]


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ({"labels": [0, 1, 2, 1, 0], "class_names": ["a", "b"]}, "labels lie in 0 to 2, for 2 class names"),
        ({"labels": [0, 1, 2, 1, 0], "class_names": ["a", "b", "a"]}, "class names must differ from one another"),
        ({"labels": [0, 1, 2, 1, 0], "class_names": "a"}, "labels lie in 0 to 2, for 1 class names"),
        ({"labels": list("abxab"), "class_names": ["a", "b"]}, "'x' is none of the 2 class names"),
        ({"class_names": ["a", "b"]}, "there are 2 class names, but no labels"),
    ],
)
def test_class_names_that_do_not_fit(file: Path, contents: Any, reason: str) -> None:
    read = read_array(saved(file, images=GREY, **contents))
    assert (read.labels, read.unlabelled) == (None, reason)


@pytest.mark.parametrize("name", ["label", "y", "Labels"])
def test_arrays_that_are_not_read_are_named(file: Path, name: str) -> None:
    read = read_array(saved(file, images=GREY, **{name: [0, 1, 2, 1, 0]}))
    assert (read.labels, read.told) == (None, (f"arrays that are not read: {name}",))


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_more_than_the_memory_is_refused_before_it_is_taken(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header promises what it likes; the file itself may be sparse."""
    path = tmp_path / f"images{suffix}"
    images = np.zeros((2**20, 8, 8), np.uint8)
    np.save(path, images) if suffix == ".npy" else np.savez(path, images=images)
    monkeypatch.setattr("ganzoo.data.allocation.memory", lambda: 2**26)
    monkeypatch.setattr(np, "load", None if suffix == ".npy" else np.load)
    with pytest.raises(UsageError, match=r"need 0\.1 GB of memory, and 67\.1 MB are free") as caught:
        read_array(path)
    assert caught.value.hint


def test_a_file_that_was_made_to_fill_the_memory(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(file, images=np.zeros((2**16, 8, 8), np.uint8))
    monkeypatch.setattr("ganzoo.data.bounds.HARMLESS", 2**20)
    with pytest.raises(UsageError, match=r"bytes claim to be 4,194,304 when unpacked, as no"):
        read_array(file)


def test_a_file_without_images(file: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_array(saved(file, x=PIXELS, y=[0]))
    assert str(caught.value) == f"{file}: no array called 'images' among x, y"
    assert (
        caught.value.hint == "np.savez(path, images=...), and labels=..., class_names=... and groups=... if it has them"
    )
    with pytest.raises(UsageError, match="no array called 'images' among none"):
        read_array(saved(file))


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"I am a text", b"PK\x03\x04" + bytes(40)])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_not_a_numpy_file(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"images{suffix}"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"not a NumPy file of plain numbers|damaged") as caught:
        read_array(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
def test_every_damage_is_read_or_refused_in_words(file: Path, compressed: bool) -> None:
    (np.savez_compressed if compressed else np.savez)(file, images=GREY, labels=[0, 1, 2, 1, 0])
    whole = file.read_bytes()
    refused = 0
    for place in range(0, len(whole), 7):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with contextlib.suppress(UsageError):  # anything else would be a bug
            read_array(file)
            continue
        refused += 1
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError):
        read_array(file)
    assert refused


@pytest.mark.filterwarnings("error")
def test_what_numpy_warns_of_is_nobodys_business(tmp_path: Path) -> None:
    """Python 2 wrote long numbers with an L, of which NumPy warns with a line of its own source."""
    path = tmp_path / "x.npy"
    np.save(path, GREY)
    path.write_bytes(path.read_bytes().replace(b"(5, 8, 6)", b"(5, 8,6L)"))
    np.testing.assert_array_equal(read_array(path).pixels[:, 0], GREY)
