"""CIFAR's binary files, in folders and alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ganzoo.errors import ExitCode, UsageError
from ganzoo_plugins.readers.cifar import read

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 3, 32, 32), dtype=np.uint8)


def records(pixels: Any, *labels: Any) -> bytes:
    columns = [np.array(column, np.uint8)[:, None] for column in labels]
    return np.concatenate([*columns, pixels.reshape(len(pixels), -1)], axis=1).tobytes()


@pytest.fixture
def cifar10(tmp_path: Path) -> Path:
    for number, rows in ((1, slice(0, 2)), (2, slice(2, 5))):
        labels = [0, 9, 4, 4, 7][rows]
        (tmp_path / f"data_batch_{number}.bin").write_bytes(records(PIXELS[rows], labels))
    (tmp_path / "test_batch.bin").write_bytes(records(PIXELS[5:], [2]))
    (tmp_path / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")
    return tmp_path


def test_cifar10(cifar10: Path) -> None:
    images = read(cifar10)
    np.testing.assert_array_equal(images.pixels, PIXELS[:5])
    assert images.labels is not None
    assert (images.labels.tolist(), images.class_names) == ([0, 9, 4, 4, 7], NAMES)
    one = read(cifar10 / "test_batch.bin")
    np.testing.assert_array_equal(one.pixels, PIXELS[5:])
    assert one.labels is not None
    assert (one.labels.tolist(), one.class_names) == ([2], NAMES)


def test_cifar100_has_its_fine_labels(tmp_path: Path) -> None:
    for name in ("train.bin", "test.bin"):
        (tmp_path / name).write_bytes(records(PIXELS, [19, 0, 3, 3, 3, 3], [99, 0, 98, 5, 5, 5]))
    for images in (read(tmp_path), read(tmp_path / "test.bin")):
        np.testing.assert_array_equal(images.pixels, PIXELS)
        assert images.labels is not None
        assert images.labels.tolist() == [99, 0, 98, 5, 5, 5]
        assert images.class_names == tuple(map(str, range(100)))
    (tmp_path / "fine_label_names.txt").write_text("".join(f"class_{number}\n" for number in range(100)))
    assert read(tmp_path).class_names[99] == "class_99"


@given(st.integers(0, 2 * 3073 - 1), st.sampled_from(["data_batch_1.bin", "test_batch.bin", "train.bin", "test.bin"]))
def test_a_file_that_is_cut_is_never_misread(tmp_path_factory: pytest.TempPathFactory, length: int, name: str) -> None:
    """There is no header: a cut between two records cannot be seen, but what is left is right."""
    labels = ([1, 2],) if "batch" in name else ([1, 2], [3, 4])
    record = 3072 + len(labels)
    path = tmp_path_factory.mktemp("cut") / name
    path.write_bytes(records(PIXELS[:2], *labels)[:length])
    if length == record:
        np.testing.assert_array_equal(read(path).pixels, PIXELS[:1])
        return
    with pytest.raises(UsageError, match=f"{length:,} bytes are not a whole number of CIFAR-10") as caught:
        read(path)
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "labels", "message", "hint"),
    [
        ("data_batch_1.bin", ([0, 1, 10, 0, 0, 0],), "image 2 has label 10, of 10 classes", "CIFAR-10?"),
        ("train.bin", ([0, 20, 0, 0, 0, 0], [0] * 6), "image 1 has label 20, of 20 classes", "CIFAR-100?"),
        ("train.bin", ([0] * 6, [0, 0, 0, 0, 0, 100]), "image 5 has label 100, of 100 classes", "CIFAR-100?"),
    ],
)
def test_labels_that_cannot_be(tmp_path: Path, name: str, labels: Any, message: str, hint: str) -> None:
    (tmp_path / name).write_bytes(records(PIXELS, *labels))
    with pytest.raises(UsageError) as caught:
        read(tmp_path)
    assert str(caught.value) == f"{tmp_path / name}: {message}"
    assert caught.value.hint == f"is this the binary version of {hint}"


@pytest.mark.parametrize(("names", "count"), [("cat dog", 2), ("", 0), ("a " * 10, 1)])
def test_names_that_do_not_fit(cifar10: Path, names: str, count: int) -> None:
    file = cifar10 / "batches.meta.txt"
    file.write_text(names)
    with pytest.raises(UsageError) as caught:
        read(cifar10)
    assert str(caught.value) == f"{file}: {count} different names, for 10 classes"
    assert caught.value.hint == "unpack it again, or remove it to number the classes"


def test_copies_are_no_batches_and_what_is_not_read_is_named(cifar10: Path) -> None:
    for name in ("data_batch_1 (1).bin", "data_batch_2.sync-conflict-1.bin", "data_batch_6.bin", "readme.html"):
        (cifar10 / name).write_bytes(records(PIXELS[:1], [3]))
    images = read(cifar10)
    np.testing.assert_array_equal(images.pixels, PIXELS[:5])
    assert images.notes == (
        "batches that are not there: 3 (data_batch_3.bin, for one)",
        "kinds of files that are not read: 3 .bin (data_batch_1 (1).bin), 1 .html (readme.html)",
    )
