"""Hugging Face's Parquet files: encoded images in one column, class numbers in another."""

import json
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any

from ganzoo import GanzooError, MissingPackageError, UsageError
from ganzoo.data import EncodedImages
from ganzoo_plugins.readers.labels import classes
from ganzoo_plugins.readers.names import shards

IMAGE_NAMES = ("image", "img")
LABEL_NAMES = ("label", "labels")
GROUPS_KEPT = 2
"""Row groups that are kept in memory: threads that read in order need no more at a time, unless groups are tiny."""

LARGEST_GROUP = 2**31 - 1
"""Most bytes of a row group's images: Arrow counts them in 32 bits, and they are all in memory at once."""

UNKNOWN = -1
"""The label that Hugging Face writes in test sets whose labels are kept secret."""


@dataclass(frozen=True)
class Columns:
    """The columns that are read, and the names of the classes."""

    image: str
    leaf: str
    """The place of the images' bytes: the column, or a field of it."""
    label: str | None
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """A row group: the unit in which a file is read."""

    file: Path
    number: int
    rows: int


def read(path: Path) -> EncodedImages:
    """Find the images of one file, or of all shards in a folder in the order of their names.

    An image is bytes, or a struct with a field ``bytes``; labels are whole numbers, named by the ``ClassLabel`` that
    Hugging Face keeps in the schema. They are the column ``label``, else the only whole numbers whose name has "label"
    in it, else the only ``ClassLabel``. Only labels are read here: images come a row group at a time.

    Raises:
        UsageError: a shard is damaged, has other columns, or row groups that are too large; there is no image column,
            or none of several label columns is called ``label``; labels do not fit.
        MissingPackageError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet as parquet
    except ModuleNotFoundError as error:
        hint = 'pip install "ganzoo[parquet]"'
        raise MissingPackageError(
            "Parquet files need the package pyarrow, which is not installed", hint=hint
        ) from error
    columns: Columns | None = None
    groups: list[Group] = []
    labels: list[object] = []
    for shard in shards(path, "*.parquet"):
        try:
            with parquet.ParquetFile(shard) as file:
                found = _columns(shard, file.schema_arrow)
                counts = [_rows_of(shard, file.metadata.row_group(number)) for number in range(file.num_row_groups)]
                if found.label:
                    labels += file.read([found.label]).column(0).to_pylist()
        except GanzooError:
            raise
        except Exception as error:  # pyarrow raises its own errors, OSError and ValueError for a damaged file
            reason = " ".join(str(error).split())[:120]
            raise UsageError(f"{shard}: damaged ({reason})", hint="download or copy it again") from error
        if columns not in (None, found):
            raise UsageError(
                f"{shard}: other columns or classes than the shards before it have",
                hint="keep the shards of one data set, and one split of it, in a folder of their own",
            )
        columns = found
        groups += [Group(shard, number, rows) for number, rows in enumerate(counts)]
    if columns is None or not (total := sum(group.rows for group in groups)):
        raise UsageError(f"{path}: no images", hint="its files have no rows")
    known = any(label != UNKNOWN for label in labels)
    numbers, class_names = classes(path, labels, columns.class_names) if known else (None, ())
    return EncodedImages(
        names=[f"row {row}" for row in range(total)],
        read=_Rows(columns, groups),
        labels=numbers,
        class_names=class_names,
    )


def _columns(shard: Path, schema: Any) -> Columns:
    features = _features(schema)
    images = [field.name for field in schema if _holds_images(field)]
    image = next((name for name in IMAGE_NAMES if name in images), images[0] if len(images) == 1 else None)
    if image is None:
        there = ", ".join(f"{field.name} ({field.type!s:.40})" for field in schema)
        problem = f"several image columns: {', '.join(images)}" if images else f"no image column among {there}"
        raise UsageError(
            f"{shard}: {problem}", hint="one column should be 'image': bytes, or a struct with a field 'bytes'"
        )
    label = _label_column(shard, schema, features)
    names = features.get(label or "", {}).get("names") or ()
    leaf = image if _is_binary(schema.field(image).type) else f"{image}.bytes"
    return Columns(image, leaf, label, tuple(map(str, names)))


def _label_column(shard: Path, schema: Any, features: dict[str, dict[str, Any]]) -> str | None:
    from pyarrow import types

    if exact := next((name for name in LABEL_NAMES if name in schema.names), None):
        return exact
    alike = [field.name for field in schema if "label" in field.name.lower() and types.is_integer(field.type)]
    if len(alike) > 1:
        raise UsageError(
            f"{shard}: several label columns: {', '.join(alike)}", hint="rename the one that is meant to 'label'"
        )
    named = [name for name, feature in features.items() if feature.get("_type") == "ClassLabel"]
    return alike[0] if alike else named[0] if len(named) == 1 else None


def _rows_of(shard: Path, group: Any) -> int:
    """Number of rows in a row group, from the file's metadata."""
    if group.total_byte_size > LARGEST_GROUP:
        raise UsageError(
            f"{shard}: a row group of {group.total_byte_size:,} bytes, more than {LARGEST_GROUP:,}",
            hint="write the file again with a smaller row_group_size",
        )
    return int(group.num_rows)


def _features(schema: Any) -> dict[str, dict[str, Any]]:
    """The features that Hugging Face's ``datasets`` describes for each column in the schema; empty if it does not."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}


def _holds_images(field: Any) -> bool:
    from pyarrow import types

    kind = field.type
    if types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _is_binary(kind.field(index).type)
    return _is_binary(kind)


def _is_binary(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind))


class _Rows:
    """Reads a row's bytes, for several threads at once, and keeps the last row groups in memory."""

    def __init__(self, columns: Columns, groups: Sequence[Group]) -> None:
        self._columns = columns
        self._groups = [group for group in groups if group.rows]
        self._starts = [0, *accumulate(group.rows for group in self._groups)]
        self._kept: OrderedDict[int, Any] = OrderedDict()
        self._lock = Lock()

    def __call__(self, row: int) -> bytes:
        number = bisect_right(self._starts, row) - 1
        with self._lock:
            values = self._group(number)
        value = values[row - self._starts[number]].as_py()
        path = value.get("path") if isinstance(value, dict) else None
        data = value.get("bytes") if isinstance(value, dict) else value
        if not data:
            raise UsageError(f"only its path is stored, {path}" if path else "no bytes are stored")
        return bytes(data)

    def _group(self, number: int) -> Any:
        from pyarrow import parquet

        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        while len(self._kept) >= GROUPS_KEPT:
            self._kept.popitem(last=False)
        group = self._groups[number]
        # Dictionaries stay as they are stored: written out, a value that 1,000 rows share takes 1,000 times its space.
        with parquet.ParquetFile(group.file, read_dictionary=[self._columns.leaf]) as file:
            values = file.read_row_group(group.number, columns=[self._columns.image]).column(0)
        self._kept[number] = values
        return values
