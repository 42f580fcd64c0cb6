"""Parquet as Hugging Face writes it: shards, row groups, labels, and files that are something else."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives import png

from ganzoo.data import EncodedImages
from ganzoo.data.decode import decode
from ganzoo.errors import ExitCode, MissingPackageError, UsageError
from ganzoo_plugins.readers import parquet

PIXELS = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), dtype=np.uint8)


FILES = [png(pixels) for pixels in PIXELS]


def structs(files: Any) -> Any:
    return [{"bytes": file, "path": f"{number}.png"} for number, file in enumerate(files)]


def put(path: Path, columns: dict[str, Any], group: int = 7, features: dict[str, Any] | None = None) -> Path:
    table = pa.table(columns)
    if features is not None:
        info = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": info})
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table, path, row_group_size=group)
    return path


def class_label(*names: str) -> dict[str, Any]:
    return {"names": list(names), "_type": "ClassLabel"}


def pixels(images: EncodedImages) -> Any:
    return decode(images, 8, strict=True, source="x").pixels.transpose(0, 2, 3, 1)


@pytest.mark.parametrize("group", [1, 7, 100])
@pytest.mark.parametrize("form", ["struct", "binary", "large"])
def test_forms_of_the_image_column(tmp_path: Path, form: str, group: int) -> None:
    column: Any = {"struct": structs(FILES), "binary": FILES, "large": pa.array(FILES, pa.large_binary())}[form]
    images = parquet.read(put(tmp_path / "x.parquet", {"id": list(range(60)), "image": column}, group))
    assert (images.labels, images.class_names) == (None, ())
    np.testing.assert_array_equal(pixels(images), PIXELS)


def test_shards_and_their_labels(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    features = {"image": {"_type": "Image"}, "label": class_label("cat", "dog", "emu")}
    labels = [number % 2 * 2 for number in range(60)]
    for shard, rows in ((1, slice(40, 60)), (0, slice(0, 40))):
        put(folder / f"train-{shard}.parquet", {"image": structs(FILES[rows]), "label": labels[rows]}, 7, features)
    (folder / "README.md").write_text("a set")
    images = parquet.read(folder)
    assert images.labels is not None
    assert (images.labels.tolist(), images.class_names) == (labels, ("cat", "dog", "emu"))
    np.testing.assert_array_equal(pixels(images), PIXELS)


def test_labels_without_names(tmp_path: Path) -> None:
    images = parquet.read(put(tmp_path / "x.parquet", {"image": FILES[:4], "label": [7, 3, 900, 3]}))
    assert images.labels is not None
    assert (images.labels.tolist(), images.class_names) == ([1, 0, 2, 0], ("3", "7", "900"))


def test_the_only_class_column_labels_whatever_it_is_called(tmp_path: Path) -> None:
    columns = {"img": structs(FILES[:2]), "fine": [1, 0], "age": [40, 41]}
    images = parquet.read(put(tmp_path / "x.parquet", columns, features={"fine": class_label("a", "b")}))
    assert images.class_names == ("a", "b")
    both = {"age": class_label(*map(str, range(50))), "fine": class_label("a", "b")}
    assert parquet.read(put(tmp_path / "x.parquet", columns, features=both)).labels is None


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ({"fine_label": [7, 3], "age": [40, 41], "label_text": ["a", "b"]}, ("3", "7")),
        ({"label": [7, 3], "coarse_label": [1, 2]}, ("3", "7")),
        ({"age": [40, 41], "height": [1, 2]}, ()),
    ],
)
def test_the_only_numbers_that_are_called_a_label(
    tmp_path: Path, columns: dict[str, Any], names: tuple[str, ...]
) -> None:
    assert parquet.read(put(tmp_path / "x.parquet", {"img": structs(FILES[:2]), **columns})).class_names == names


def test_several_label_columns_are_named(tmp_path: Path) -> None:
    columns = {"img": structs(FILES[:2]), "fine_label": [1, 0], "coarse_label": [0, 1]}
    images = parquet.read(put(tmp_path / "x.parquet", columns))
    assert images.labels is None
    assert images.unlabelled == (
        "there are several label columns (fine_label, coarse_label); call the one that is meant 'label'"
    )


@pytest.mark.parametrize("form", ["string", "dictionary"])
def test_labels_may_be_names(tmp_path: Path, form: str) -> None:
    names: Any = ["dog", "cat", "dog", "emu"]
    column = pa.array(names).dictionary_encode() if form == "dictionary" else names
    images = parquet.read(put(tmp_path / "x.parquet", {"image": FILES[:4], "label": column}, group=3))
    assert images.labels is not None
    assert (images.labels.tolist(), images.class_names) == ([1, 0, 1, 2], ("cat", "dog", "emu"))


def test_a_column_of_masks_labels_nothing(tmp_path: Path) -> None:
    """And none of it is read."""
    images = parquet.read(put(tmp_path / "x.parquet", {"image": structs(FILES[:2]), "label": structs(FILES[:2])}))
    assert images.labels is None
    assert "column 'label' holds struct<" in images.unlabelled


def test_webdataset_as_parquet(tmp_path: Path) -> None:
    columns = {"__key__": ["0", "1"], "jpg": structs(FILES[:2]), "cls": [3, 5]}
    assert parquet.read(put(tmp_path / "x.parquet", columns)).class_names == ("3", "5")


@pytest.mark.parametrize(
    ("shards", "rows", "held_out"),
    [
        ({"train-0": 2, "test-0": 3}, [0, 1, 2, 3, 4], 3),
        ({"train-0": 2, "validation-0": 1, "test-0": 3}, [0, 1, 5], 1),
        ({"val": 1, "train-00000-of-00002": 1, "train-00001-of-00002": 1}, [0, 1, 2], 1),
        ({"0": 2, "holdout": 1}, [0, 1, 2], 1),
        ({"test-0": 2, "test-1": 3}, [0, 1, 2, 3, 4], None),
    ],
)
def test_shards_of_a_test_set_are_never_trained_on(
    tmp_path: Path, shards: dict[str, int], rows: list[int], held_out: int | None
) -> None:
    first = 0
    for name, count in sorted(shards.items()):
        files, labels = FILES[first : first + count], [number % 2 for number in range(count)]
        put(tmp_path / "set" / f"{name}.parquet", {"image": files, "label": labels})
        first += count
    images = parquet.read(tmp_path / "set")
    trained = sum(count for name, count in shards.items() if "train" in name or name == "0") or first
    assert len(images.names) == trained + (held_out or 0)
    assert (None if images.held_out is None else int(images.held_out.sum())) == held_out
    if "validation-0" in shards:
        assert images.notes[1:] == ("images of 'test' that are left out: 3, because held out is 'val'",)


def test_a_test_set_whose_labels_are_kept_secret_is_left_out(tmp_path: Path) -> None:
    put(tmp_path / "set" / "train.parquet", {"image": FILES[:4], "label": [0, 1, 0, 1]})
    put(tmp_path / "set" / "test.parquet", {"image": FILES[4:6], "label": [-1, -1]})
    images = parquet.read(tmp_path / "set")
    assert (len(images.names), images.held_out, images.class_names) == (4, None, ("0", "1"))
    assert [images.read(row) for row in range(4)] == FILES[:4]
    assert (
        "images of 'test' that are left out: 2, because their classes are not those of the images to train on"
        in images.notes[0]
    )


def test_a_part_is_held_out_whatever_its_labels_where_none_can_be_used(tmp_path: Path) -> None:
    put(tmp_path / "set" / "train.parquet", {"image": FILES[:4], "label": [0.1, 0.2, 0.3, 0.4]})
    put(tmp_path / "set" / "test.parquet", {"image": FILES[4:6], "label": [0.5, 0.6]})
    images = parquet.read(tmp_path / "set")
    assert images.held_out is not None
    assert images.held_out.tolist() == [True] * 2 + [False] * 4
    assert "0.5 is neither" in images.unlabelled


def test_more_rows_than_a_file_can_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "x.parquet", {"image": [FILES[0]] * 200_000}, group=200_000)
    monkeypatch.setattr("ganzoo.data.bounds.HARMLESS", 2**20)
    with pytest.raises(UsageError, match="claim to be 12,800,000 when unpacked, as no images"):
        parquet.read(path)


def test_a_row_group_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "LARGEST_GROUP", 10_000)
    path = put(tmp_path / "x.parquet", {"image": FILES[:2]})
    assert len(parquet.read(path).names) == 2
    pq.write_table(pa.table({"image": [bytes(6000), bytes(6001)]}), path, compression="zstd")
    assert path.stat().st_size < 1000
    with pytest.raises(UsageError, match=r"a row group of 12,\d+ bytes, more than 10,000") as caught:
        parquet.read(path)
    assert caught.value.hint == "write the file again with a smaller row_group_size"


@pytest.mark.parametrize("form", ["struct", "binary"])
def test_a_value_that_many_rows_share_is_in_memory_once(tmp_path: Path, form: str) -> None:
    """A few kilobytes on disk, which the sizes in the file do not give away."""
    files = [bytes(10**5)] * 500
    path = put(tmp_path / "x.parquet", {"image": files if form == "binary" else structs(files)}, group=500)
    images = parquet.read(path)
    before = pa.total_allocated_bytes()
    assert images.read(499) == files[0]
    assert pa.total_allocated_bytes() - before < 10**7


def test_labels_that_are_kept_secret(tmp_path: Path) -> None:
    path = put(tmp_path / "x.parquet", {"image": FILES[:2], "label": [-1, -1]}, 7, {"label": class_label("a", "b")})
    assert parquet.read(path).labels is None


def test_row_groups_are_read_when_needed_and_few_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = parquet.read(put(tmp_path / "x.parquet", {"image": FILES}, group=10))
    groups: list[int] = []
    read = pq.ParquetFile.read_row_group

    def counted(file: Any, number: int, **options: Any) -> Any:
        groups.append(number)
        return read(file, number, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    assert groups == []
    assert [images.read(row) for row in range(60)] == FILES
    assert groups == [0, 1, 2, 3, 4, 5]
    assert images.read(0) == FILES[0]
    assert groups[6:] == [0]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(images.read, list(range(60)) * 5)) == FILES * 5
    assert len(images.read._kept) == parquet.GROUPS_KEPT  # type: ignore[attr-defined]


def test_images_of_which_only_the_path_is_stored(tmp_path: Path) -> None:
    column = [{"bytes": FILES[0], "path": None}, {"bytes": None, "path": "far/1.png"}, {"bytes": b"", "path": None}]
    images = parquet.read(put(tmp_path / "x.parquet", {"image": column}))
    assert decode(images, 8, strict=False, source="x").skipped == (
        "row 1: only its path is stored, far/1.png",
        "row 2: no bytes are stored",
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["a"], "n": [1]}, "no image column among text (string), n (int64)"),
        ({"image": ["a.png"]}, "no image column among image (string)"),
        ({"image": [{"path": "a.png"}]}, "no image column among image (struct<path: string>)"),
        ({"left": [b"x"], "right": [b"x"]}, "several image columns: left, right"),
    ],
)
def test_no_image_column(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    path = put(tmp_path / "x.parquet", columns)
    with pytest.raises(UsageError) as caught:
        parquet.read(path)
    assert str(caught.value) == f"{path}: {message}"
    assert caught.value.hint == "one column should be 'image': bytes, or a struct with a field 'bytes'"
    assert caught.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("labels", "names", "reason"),
    [
        ([0, 2], ("a", "b"), "labels lie in 0 to 2, for 2 class names"),
        ([-1, 1], ("a", "b"), "labels lie in -1 to 1, for 2 class names"),
        ([-2, 1], (), "labels lie in -2 to 1"),
        ([0, None], (), "1 of 2 images have no label"),
        ([True, False], (), "True is neither a class number nor a class name"),
        ([0.5, 1.0], (), "0.5 is neither a class number nor a class name"),
        ([[0, 1], [1]], (), "column 'label' holds list<element: int64>, neither class numbers nor names"),
        ([0, 1], ("a", "a"), "class names must differ from one another"),
    ],
)
def test_labels_that_do_not_fit_stop_nothing(tmp_path: Path, labels: Any, names: tuple[str, ...], reason: str) -> None:
    features = {"label": class_label(*names)} if names else None
    images = parquet.read(put(tmp_path / "x.parquet", {"image": FILES[:2], "label": labels}, features=features))
    assert (images.labels, images.class_names, images.unlabelled) == (None, (), reason)


@pytest.mark.parametrize(
    "metadata",
    [
        *(b"", b"no json", b"[]", b'{"info": 3}', b'{"info": {"features": {"label": 1}}}', b"[" * 100_000),
        rb'{"info": {"features": {"label": {"_type": "ClassLabel", "names": ["\ud800", "b"]}}}}',
    ],
)
def test_a_schema_with_other_metadata(tmp_path: Path, metadata: bytes) -> None:
    table = pa.table({"image": FILES[:2], "label": [0, 1]}).replace_schema_metadata({"huggingface": metadata})
    pq.write_table(table, tmp_path / "x.parquet")
    images = parquet.read(tmp_path / "x.parquet")
    assert images.class_names == ("0", "1")
    assert bool(images.notes) == (metadata != b'{"info": {"features": {"label": 1}}}')


def test_shards_of_different_sets(tmp_path: Path) -> None:
    put(tmp_path / "set" / "0.parquet", {"image": FILES[:2], "label": [0, 1]})
    other = put(tmp_path / "set" / "1.parquet", {"image": FILES[:2]})
    with pytest.raises(UsageError) as caught:
        parquet.read(tmp_path / "set")
    assert str(caught.value) == f"{other}: other columns or classes than the shards before it have"
    assert caught.value.hint == "keep the shards of one data set, and one split of it, in a folder of their own"


def test_no_rows(tmp_path: Path) -> None:
    path = put(tmp_path / "x.parquet", {"image": pa.array([], pa.binary())})
    with pytest.raises(UsageError, match="no images"):
        parquet.read(path)


def test_damage_is_named(tmp_path: Path) -> None:
    path = put(tmp_path / "x.parquet", {"image": FILES[:3], "label": [0, 1, 2]})
    whole = path.read_bytes()
    for length in range(0, len(whole), 23):
        path.write_bytes(whole[:length])
        with pytest.raises(UsageError, match=r"x\.parquet: damaged \(") as caught:
            parquet.read(path)
        assert caught.value.hint == "download or copy it again"
    path.write_bytes(whole[:100] + bytes(200) + whole[300:])  # the images, not the index
    with pytest.raises(UsageError, match="images cannot be read; the first is row 0: "):
        decode(parquet.read(path), 8, strict=True, source="x")


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError) as caught:
        parquet.read(tmp_path / "x.parquet")
    assert str(caught.value) == "Parquet files need the package pyarrow, which is not installed"
    assert caught.value.hint == 'pip install "ganzoo[parquet]"'
    assert caught.value.exit_code == ExitCode.MISSING_PACKAGE


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ({"0": "cat", "1": "dog"}, ("cat", "dog")),
        ({"1": "dog", "0": "cat"}, ("cat", "dog")),
        *((names, None) for names in ({"cat": 0, "dog": 1}, "ab", 5, [1, 2], ["cat", None], {"0": "cat", "2": "x"})),
        (None, ("0", "1")),
    ],
)
def test_class_names_in_every_form(tmp_path: Path, names: Any, wanted: tuple[str, ...] | None) -> None:
    features = {"label": {"names": names, "_type": "ClassLabel"}}
    images = parquet.read(put(tmp_path / "x.parquet", {"image": FILES[:4], "label": [0, 1, 0, 1]}, 7, features))
    assert images.class_names == (wanted or ("0", "1"))
    told = "the names of the classes of column 'label' are passed over: they are no list of texts"
    assert images.notes == (() if wanted else (told,))


def test_what_lies_beside_shards_is_named(tmp_path: Path) -> None:
    put(tmp_path / "set" / "train.parquet", {"image": FILES[:2]})
    put(tmp_path / "set" / "old" / "train.parquet", {"image": FILES[:2]})
    (tmp_path / "set" / "1.png").write_bytes(FILES[0])
    assert parquet.read(tmp_path / "set").notes == (
        "kinds of files that are not read: 1 .png (1.png)",
        "folders that are not read: 1 (old, for one)",
    )


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["train-00000-of-00003", "train-00002-of-00003"], ("shards that are not there: 1 of 3 (train-*)",)),
        (["train-00000-of-00002", "train-00001-of-00002"], ()),
        (["x-1-of-2", "x-2-of-2", "y-0-of-9"], ("shards that are not there: 8 of 9 (y-*)",)),
        (["x-0-of-2-of-3", "part-of-1"], ("shards that are not there: 1 of 2 (x-*)",)),
    ],
)
def test_shards_that_are_not_there_are_counted(tmp_path: Path, names: list[str], told: tuple[str, ...]) -> None:
    """A download that was cut off, say."""
    for name in names:
        put(tmp_path / f"{name}.parquet", {"image": FILES[:1]})
    assert parquet.read(tmp_path).notes == told
