"""Hugging Face's Parquet files: encoded images in one column, class numbers in another."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any, overload

from ganzoo import GanzooError, MissingPackageError, UsageError
from ganzoo.data import EncodedImages, Unreadable, damage, parse_json, require_memory
from ganzoo_plugins.readers.labels import classes
from ganzoo_plugins.readers.names import beside, shards
from ganzoo_plugins.readers.splits import divide, parts_of_shards

IMAGE_NAMES = ("image", "img")
LABEL_NAMES = ("label", "labels", "cls")
GROUPS_KEPT = 2
"""Row groups that are kept in memory: threads that read in order need no more at a time, unless groups are tiny."""

LARGEST_GROUP = 2**31 - 1
"""Most bytes of a row group's images: Arrow counts them in 32 bits, and they are all in memory at once."""

UNKNOWN = -1
"""The label that Hugging Face writes in test sets whose labels are kept secret."""

SMALLEST_IMAGE = 64
"""Fewest bytes of an encoded image: what a file's rows need at least, however well they are compressed."""


@dataclass(frozen=True)
class Columns:
    """The columns that are read, and the names of the classes."""

    image: str
    leaf: str
    """The place of the images' bytes: the column, or a field of it."""
    label: str | None
    unlabelled: str
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """A row group: the unit in which a file is read."""

    file: Path
    number: int
    rows: int


@dataclass(frozen=True)
class Shard:
    """What a file says without its images: a label for each row, None where there is none."""

    file: Path
    columns: Columns
    groups: list[Group]
    labels: list[object]


def read(path: Path) -> EncodedImages:
    """Find the images of one file, or of all shards in a folder in the order of their names.

    An image is bytes, or a struct with a field ``bytes``; labels are whole numbers, named by the ``ClassLabel`` that
    Hugging Face keeps in the schema, or names. They are the column ``label``, else the only whole numbers whose name
    has "label" in it, else the only ``ClassLabel``. Only labels are read here: images come a row group at a time.
    Of shards called ``train-…``, ``validation-…`` and ``test-…`` the first are trained on; see ``splits.py``.

    Raises:
        UsageError: a shard is damaged, has other columns, or row groups that are too large; there is no image column,
            or the names of shards leave nothing to train on.
        MissingPackageError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ModuleNotFoundError as error:
        hint = 'pip install "ganzoo[parquet]"'
        raise MissingPackageError(
            "Parquet files need the package pyarrow, which is not installed", hint=hint
        ) from error
    found: list[Shard] = []
    files = shards(path, "*.parquet")
    for file in files:
        found.append(_shard(file))
        if found[0].columns != found[-1].columns:
            raise UsageError(
                f"{file}: other columns or classes than the shards before it have",
                hint="keep the shards of one data set, and one split of it, in a folder of their own",
            )
    groups = [group for shard in found for group in shard.groups]
    if not any(group.rows for group in groups):
        raise UsageError(f"{path}: no images", hint="its files have no rows")
    columns = found[0].columns
    parts = parts_of_shards([shard.file.name for shard in found])
    labels = [label for shard in found for label in shard.labels]
    of_rows = [part for part, shard in zip(parts, found, strict=True) for _ in shard.labels]
    kept = divide(path, of_rows, labels)
    known = columns.class_names if any(label is not None for label in labels) else ()
    numbers, class_names, unlabelled = classes([labels[row] for row in kept.rows], known)
    return EncodedImages(
        names=_RowNames(kept.rows),
        read=_Rows(columns, groups, kept.rows),
        labels=numbers,
        class_names=class_names,
        unlabelled=columns.unlabelled or unlabelled,
        held_out=kept.held_out,
        notes=(*columns.notes, *kept.notes, *beside(path, files)),
    )


class _RowNames(Sequence[str]):
    """``row 7`` for the eighth row; a file of some kilobytes may have millions."""

    def __init__(self, rows: Sequence[int]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return _RowNames(self._rows[index]) if isinstance(index, slice) else f"row {self._rows[index]}"


def _shard(file: Path) -> Shard:
    """Read the labels of a file, and what its schema says.

    Raises:
        UsageError: it is damaged, has other columns, or more rows or larger row groups than it can have.
    """
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as opened:
            rows = opened.metadata.num_rows
            require_memory(file, rows * SMALLEST_IMAGE, file.stat().st_size)
            row_groups = [opened.metadata.row_group(number) for number in range(opened.num_row_groups)]
            require_memory(file, GROUPS_KEPT * max((group.total_byte_size for group in row_groups), default=0))
            columns = _columns(file, opened.schema_arrow)
            counts = [_rows_of(file, group) for group in row_groups]
            labels = _labels(file, opened, columns.label)
    except GanzooError:
        raise
    except Exception as error:  # pyarrow raises its own errors, OSError and ValueError for a damaged file
        reason = damage(str(file), error)[:120]
        raise UsageError(f"{file}: damaged ({reason})", hint="download or copy it again") from error
    secret = all(label in (None, UNKNOWN) for label in labels)
    groups = [Group(file, number, count) for number, count in enumerate(counts)]
    return Shard(file, columns, groups, [None for _ in labels] if secret else labels)


def _labels(file: Path, opened: Any, column: str | None) -> list[object]:
    """A column's values, None where there is no column; where many rows share a name, it is in memory once."""
    from pyarrow import parquet, types

    if column is None:
        return [None] * int(opened.metadata.num_rows)
    groups = [opened.metadata.row_group(number) for number in range(opened.num_row_groups)]
    chunks = [chunk for group in groups for chunk in map(group.column, range(group.num_columns))]
    need = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema == column)
    require_memory(file, need, file.stat().st_size)
    with parquet.ParquetFile(file, read_dictionary=[column]) as again:
        values = again.read([column]).column(0)
    if not types.is_dictionary(values.type):  # numbers
        return list(values.to_pylist())
    labels: list[object] = []
    for chunk in values.chunks:
        names = chunk.dictionary.to_pylist()
        labels += [None if index is None else names[index] for index in chunk.indices.to_pylist()]
    return labels


def _columns(shard: Path, schema: Any) -> Columns:
    features, notes = _features(schema)
    images = [field.name for field in schema if _holds_images(field)]
    image = next((name for name in IMAGE_NAMES if name in images), images[0] if len(images) == 1 else None)
    if image is None:
        there = ", ".join(f"{field.name} ({field.type!s:.40})" for field in schema)
        problem = f"several image columns: {', '.join(images)}" if images else f"no image column among {there}"
        raise UsageError(
            f"{shard}: {problem}", hint="one column should be 'image': bytes, or a struct with a field 'bytes'"
        )
    label, unlabelled = _label_column(schema, features)
    names = _class_names(features.get(label or "", {}).get("names"))
    if names is None:
        notes = (*notes, f"the names of the classes of column {label!r} are passed over: they are no list of texts")
    leaf = image if _is_binary(schema.field(image).type) else f"{image}.bytes"
    return Columns(image, leaf, label, unlabelled, names or (), notes)


def _class_names(names: object) -> tuple[str, ...] | None:
    """The names of a ``ClassLabel``: a list or, as older releases wrote it, {"0": name, …}; None: they are neither."""
    if isinstance(names, dict) and names.keys() == set(map(str, range(len(names)))):
        names = [names[str(number)] for number in range(len(names))]
    if names is None:
        return ()
    return tuple(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def _label_column(schema: Any, features: dict[str, dict[str, Any]]) -> tuple[str | None, str]:
    """The column of labels, or why none of those that look like it is taken."""
    from pyarrow import types

    if exact := next((name for name in LABEL_NAMES if name in schema.names), None):
        kind = schema.field(exact).type
        if types.is_nested(kind) or _is_binary(kind):
            return None, f"column {exact!r} holds {kind!s:.40}, neither class numbers nor names"
        return exact, ""
    alike = [field.name for field in schema if "label" in field.name.lower() and types.is_integer(field.type)]
    if len(alike) > 1:
        return None, f"there are several label columns ({', '.join(alike)}); call the one that is meant 'label'"
    named = [name for name, feature in features.items() if feature.get("_type") == "ClassLabel"]
    return alike[0] if alike else named[0] if len(named) == 1 else None, ""


def _rows_of(shard: Path, group: Any) -> int:
    """Number of rows in a row group, from the file's metadata."""
    if group.total_byte_size > LARGEST_GROUP:
        raise UsageError(
            f"{shard}: a row group of {group.total_byte_size:,} bytes, more than {LARGEST_GROUP:,}",
            hint="write the file again with a smaller row_group_size",
        )
    return int(group.num_rows)


def _features(schema: Any) -> tuple[dict[str, dict[str, Any]], tuple[str, ...]]:
    """What Hugging Face's ``datasets`` says of each column, in the schema; and, where it cannot be read, why."""
    described = (schema.metadata or {}).get(b"huggingface")
    if described is None:
        return {}, ()
    try:
        features = parse_json(described)["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}, ()
    except (KeyError, TypeError, AttributeError, Unreadable) as error:
        reason = str(error) if isinstance(error, Unreadable) else "it has another form"
        return {}, (f"the description of the columns is passed over: {reason}",)


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

    def __init__(self, columns: Columns, groups: Sequence[Group], rows: Sequence[int]) -> None:
        self._rows = rows
        self._columns = columns
        self._groups = [group for group in groups if group.rows]
        self._starts = [0, *accumulate(group.rows for group in self._groups)]
        self._kept: OrderedDict[int, Any] = OrderedDict()
        self._lock = Lock()

    def __call__(self, index: int) -> bytes:
        row = self._rows[index]
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
