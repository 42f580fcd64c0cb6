"""IDX files: what MNIST looks like, and every way in which a file can lie."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ganzoo.errors import ExitCode, UsageError
from ganzoo_plugins.readers.idx import read

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)


def idx(array: Any, kind: int = 8, shape: tuple[int, ...] | None = None) -> bytes:
    shape = shape or array.shape
    content: bytes = array.tobytes()
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + content


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


LABELS = idx(np.array([1, 0, 3, 1, 1], np.uint8))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("labels_compressed", [False, True])
@pytest.mark.parametrize(
    ("images", "labels"),
    [("train-images-idx3-ubyte", "train-labels-idx1-ubyte"), ("images.idx3-ubyte", "labels.idx1-ubyte")],
)
def test_images_and_the_labels_beside_them(
    tmp_path: Path, images: str, labels: str, compressed: bool, labels_compressed: bool
) -> None:
    put(tmp_path / (labels + ".gz" * labels_compressed), LABELS)
    put(tmp_path / labels.replace("train", "t10k").replace("labels.", "other-labels."), b"not these")
    read_set = read(put(tmp_path / (images + ".gz" * compressed), idx(PIXELS)))
    np.testing.assert_array_equal(read_set.pixels[:, 0], PIXELS)
    assert read_set.labels is not None
    assert read_set.labels.tolist() == [1, 0, 2, 1, 1]
    assert read_set.labels.dtype == np.int64
    assert read_set.class_names == ("0", "1", "3")


def test_class_names_that_are_known(tmp_path: Path) -> None:
    put(tmp_path / "x-labels-idx1-ubyte", LABELS)
    images = read(put(tmp_path / "x-images-idx3-ubyte", idx(PIXELS)), tuple("abcde"))
    assert images.labels is not None
    assert (images.labels.tolist(), images.class_names) == ([1, 0, 3, 1, 1], tuple("abcde"))


def test_one_class_is_none(tmp_path: Path) -> None:
    put(tmp_path / "x-labels-idx1-ubyte", idx(np.full(5, 7, np.uint8)))
    images = read(put(tmp_path / "x-images-idx3-ubyte", idx(PIXELS)))
    assert (images.labels, images.class_names) == (None, ())


@pytest.mark.parametrize("name", ["x.idx", "x.idx.gz", "train-images-idx3-ubyte"])
def test_without_a_labels_file(tmp_path: Path, name: str) -> None:
    images = read(put(tmp_path / name, idx(PIXELS)))
    assert (images.labels, images.class_names, len(images)) == (None, (), 5)


def test_what_is_compressed_is_seen_in_the_content(tmp_path: Path) -> None:
    (tmp_path / "x.idx").write_bytes(gzip.compress(idx(PIXELS)))
    (tmp_path / "y.idx.gz").write_bytes(idx(PIXELS))
    assert read(tmp_path / "x.idx").digest == read(tmp_path / "y.idx.gz").digest


@given(arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=6)), st.booleans(), st.data())
def test_any_array_comes_back_and_any_part_of_it_is_refused(
    tmp_path_factory: pytest.TempPathFactory, pixels: Any, compressed: bool, data: Any
) -> None:
    path = put(tmp_path_factory.mktemp("idx") / ("x.idx" + ".gz" * compressed), idx(pixels))
    np.testing.assert_array_equal(read(path).pixels[:, 0], pixels)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(UsageError):
        read(path)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x08", "not an IDX file"),
        (b"\x89PNG....", "not an IDX file"),
        (LABELS, "holds type 0x08 in 1 dimensions, not images (0x08 in 3)"),
        (idx(PIXELS, kind=13), "holds type 0x0d in 3 dimensions, not images (0x08 in 3)"),
        (idx(PIXELS)[:9], "its header promises 1 bytes [], and 0 are there"),
        (idx(PIXELS)[:-1], "its header promises 60 bytes [5, 4, 3], and 59 are there"),
        (idx(PIXELS) + b"x", "its header promises 60 bytes [5, 4, 3], and more are there"),
        (
            idx(np.zeros(0, np.uint8), shape=(0, 28, 28)),
            "images must be a non-empty uint8 array [N, C, H, W], not uint8 [0, 1, 28, 28]",
        ),
    ],
)
def test_what_is_not_what_it_says(tmp_path: Path, content: bytes, message: str, compressed: bool) -> None:
    path = put(tmp_path / ("x.idx" + ".gz" * compressed), content)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: {message}"
    assert caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.idx", "bytes [4294967295, 4294967295, 4294967295], and 60 are there"),
        ("x.idx.gz", "bytes claim to be 79,228,162,458,924,105,385,300,197,375 when unpacked, as no images are"),
    ],
)
def test_what_a_header_promises_is_not_taken(tmp_path: Path, name: str, message: str) -> None:
    path = put(tmp_path / name, idx(PIXELS, shape=(2**32 - 1,) * 3))
    with pytest.raises(UsageError) as caught:
        read(path)
    assert str(caught.value).endswith(message)


def test_a_compressed_bomb_is_not_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """100 MB of zeros behind a header that promises 60 bytes: one byte more than promised is taken."""
    path = put(tmp_path / "x.idx.gz", idx(PIXELS) + bytes(10**8))
    asked: list[int] = []
    ask = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda file, count: asked.append(count) or ask(file, count))  # type: ignore[func-returns-value]
    with pytest.raises(UsageError, match="and more are there"):
        read(path)
    assert sum(asked) <= 4 + 12 + 61


def test_damage_in_a_compressed_file_is_found(tmp_path: Path) -> None:
    path = put(tmp_path / "x.idx.gz", idx(PIXELS))
    whole = path.read_bytes()
    for place in range(10, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with pytest.raises(UsageError):
            read(path)


def test_labels_that_do_not_match(tmp_path: Path) -> None:
    path = put(tmp_path / "train-images-idx3-ubyte", idx(PIXELS))
    labels = tmp_path / "train-labels-idx1-ubyte.gz"
    put(labels, idx(np.zeros(4, np.uint8)))
    with pytest.raises(UsageError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: 5 images, but 4 labels in {labels.name}"
    assert caught.value.hint == ("take both files from one place, or move the labels away to train without them")
    labels.write_bytes(gzip.compress(LABELS)[:-9])
    with pytest.raises(UsageError, match=r"labels-idx1-ubyte.gz: damaged \("):
        read(path)
    put(labels, idx(PIXELS))
    with pytest.raises(UsageError, match=r"holds type 0x08 in 3 dimensions, not labels \(0x08 in 1\)"):
        read(path)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("Train-Images-idx3-ubyte", "Train-Labels-idx1-ubyte"),
        ("TRAIN-IMAGES-IDX3-UBYTE", "train-labels-idx1-ubyte.GZ"),
        ("x-images.IDX", "X-Labels.idx"),
    ],
)
def test_labels_are_found_whatever_the_case(tmp_path: Path, images: str, labels: str) -> None:
    put(tmp_path / labels, gzip.compress(LABELS) if labels.endswith("GZ") else LABELS)
    assert read(put(tmp_path / images, idx(PIXELS))).class_names == ("0", "1", "3")
