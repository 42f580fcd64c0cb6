"""NumPy files: ``.npy`` (images) and ``.npz`` (images; labels, class_names and groups if it has them)."""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ganzoo import UsageError
from ganzoo.data import CHANNELS, ImageSet, Unreadable, damage, plain, require_memory
from ganzoo_plugins.readers.bounded import BoundedFile
from ganzoo_plugins.readers.labels import Classes, classes
from ganzoo_plugins.readers.splits import part_of_shard

IMAGES, LABELS, CLASS_NAMES, GROUPS = NAMES = ("images", "labels", "class_names", "groups")

TOLERANCE = 1e-3
"""How far values may lie outside their range, as arithmetic on floats leaves them; they are clipped."""

AMBIGUOUS = -0.25
"""A minimum between this and -``TOLERANCE`` fits either range: [0, 1] with overshoot, or [-1, 1] with pale images."""

CONVERTED = 2**22
"""Floats that are converted at once: what NumPy needs on the way is several times as large."""

LARGEST_HEADER = 2**16
"""Most bytes of an array's header, which has some hundred."""

HEADERS: dict[tuple[int, int], Callable[[IO[bytes]], tuple[tuple[int, ...], bool, np.dtype[Any]]]] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}
"""Version of NumPy's format -> what reads its header; version 3 is for arrays of records alone."""

_FORM = "np.savez(path, images=...), and labels=..., class_names=... and groups=... if it has them"
_RANGES = "uint8, or floats on [0, 1] or [-1, 1]"


def read(path: Path) -> ImageSet:
    """Read ``path``; nothing in it is ever unpickled.

    Images are [N, H, W], [N, H, W, C] or [N, C, H, W] with C = 1 or 3, uint8, or floats on [0, 1] or [-1, 1], which may
    be exceeded by a thousandth. An ``.npz`` holds them as ``images`` (or as its only array), and may hold ``labels``
    [N] or [N, 1], numbers or names, and ``class_names``; and ``groups`` [N], whole numbers.

    Raises:
        UsageError: anything else.
    """
    with _explained(path), BoundedFile(path) as file:
        arrays, others = _load(path, file)
    images = arrays.pop(IMAGES, None)
    if not isinstance(images, np.ndarray):
        raise UsageError(f"{path}: no array called 'images' among {', '.join(others) or 'none'}", hint=_hint(others))
    pixels = _channels_first(path, _to_uint8(path, images))
    found = _labels(path, arrays, len(pixels))
    notes = [f"arrays that are not read: {', '.join(others)}"] if others else []
    if (beside := path.with_suffix(".json")).is_file():
        notes.append(f"{beside.name} beside it is not read: it is not that of a packed set")
    try:
        groups = _groups(arrays.get(GROUPS))
        return ImageSet(pixels=pixels, groups=groups, notes=tuple(notes), **found._asdict())
    except UsageError as error:
        raise UsageError(f"{path}: {error}", hint=_FORM) from error


def _load(path: Path, file: IO[bytes]) -> tuple[dict[str, NDArray[Any] | Unreadable], list[str]]:
    """The arrays that are wanted, and the names of the others; what a header promises is held against the memory."""
    single = file.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX
    file.seek(0)
    if single:
        require_memory(path, _promised(file))
        file.seek(0)
        return {IMAGES: np.load(file, allow_pickle=False)}, []
    loaded = np.load(file, allow_pickle=False)
    names = loaded.files
    wanted = {IMAGES: names[0]} if len(names) == 1 else {name: name for name in NAMES if name in names}
    promised = 0
    for name in wanted.values():
        with loaded.zip.open(f"{name}.npy") as member:
            promised += _promised(member)
    require_memory(path, promised, path.stat().st_size)
    others = sorted(map(plain, set(names) - set(wanted.values())))
    return {key: _array(loaded, key, name) for key, name in wanted.items()}, others


def _promised(file: IO[bytes]) -> int:
    """Bytes of the array whose header comes next."""
    head = BytesIO(file.read(LARGEST_HEADER))
    version = npy.read_magic(head)
    if version not in HEADERS:
        raise ValueError(f"version {version} of the format is not read")
    shape, _, dtype = HEADERS[version](head)
    return math.prod(shape) * dtype.itemsize


def _array(loaded: Any, key: str, name: str) -> NDArray[Any] | Unreadable:
    """An array of an ``.npz``; why it is none, if it is only one of labels, which not everybody needs."""
    try:
        return np.asarray(loaded[name])
    except ValueError as error:
        if key == IMAGES or "pickle" not in str(error):
            raise
        return Unreadable(f"{name} are Python's objects, which are pickled and so never read")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Whatever NumPy and ``zipfile`` raise for a damaged file becomes a UsageError; what they warn of helps nobody."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UsageError:
        raise
    except Exception as error:  # zipfile.BadZipFile, zlib.error and others, for a damaged .npz
        reason = damage(str(path), error)[:120]
        if not isinstance(error, OSError | ValueError | EOFError):
            raise UsageError(f"{path}: damaged ({reason})", hint="write or copy it again") from error
        # Without NumPy's advice on how to load pickles, which would run what is in them.
        told = "" if "pickle" in reason else f" ({reason})"
        raise UsageError(f"{path}: not a NumPy file of plain numbers{told}", hint=_FORM) from error


def _to_uint8(path: Path, images: NDArray[Any]) -> NDArray[np.uint8]:
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise UsageError(f"{path}: images are {images.dtype}", hint=_RANGES)
    if images.ndim not in (3, 4):
        raise _wrong_shape(path, images)
    low, high = (float(images.min()), float(images.max())) if images.size else (math.nan, math.nan)
    if not (math.isfinite(low) and math.isfinite(high)):  # NaN anywhere makes NaN of both
        raise UsageError(f"{path}: images are empty, or hold NaN or infinity", hint=_RANGES)
    if low < -1 - TOLERANCE or high > 1 + TOLERANCE:
        raise UsageError(f"{path}: images lie in [{low:g}, {high:g}]", hint=_RANGES)
    if AMBIGUOUS < low < -TOLERANCE:
        raise UsageError(
            f"{path}: images lie in [{low:g}, {high:g}], which may be meant as [0, 1] or as [-1, 1]",
            hint="clip them to [0, 1], or write them as uint8",
        )
    require_memory(path, images.size)
    pixels = np.empty(images.shape, np.uint8)
    rows = max(1, CONVERTED // max(1, images[0].size))
    for first in range(0, len(images), rows):
        part = images[first : first + rows]
        pixels[first : first + rows] = np.rint(np.clip(part if low >= -TOLERANCE else (part + 1) / 2, 0, 1) * 255)
    return pixels


def _channels_first(path: Path, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if images.ndim == 3 and images.shape[2] in CHANNELS:
        raise UsageError(
            f"{path}: images have shape {list(images.shape)}, which is one image [H, W, C]",
            hint="save several at once, np.stack([image, ...]), or put image files into a folder",
        )
    if images.ndim == 3 and images.shape[0] == images.shape[1] != images.shape[2]:
        raise UsageError(
            f"{path}: images have shape {list(images.shape)}, which looks like [H, W, N], MATLAB's order",
            hint="save np.moveaxis(images, -1, 0); or images[..., None] if the first number counts them",
        )
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4 and images.shape[3] in CHANNELS:
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    if images.ndim == 4 and images.shape[1] in CHANNELS:
        return images
    raise _wrong_shape(path, images)


def _wrong_shape(path: Path, images: NDArray[Any]) -> UsageError:
    return UsageError(
        f"{path}: images have shape {list(images.shape)}", hint="save [N, H, W], or [N, H, W, C] with 1 or 3 channels"
    )


def _labels(path: Path, arrays: dict[str, NDArray[Any] | Unreadable], count: int) -> Classes:
    labels, names = arrays.get(LABELS), arrays.get(CLASS_NAMES)
    if isinstance(labels, Unreadable) or isinstance(names, Unreadable):
        return Classes(unlabelled=str(labels if isinstance(labels, Unreadable) else names))
    known = () if names is None else names.ravel().tolist()
    if labels is None:
        return classes([], known)
    if not labels.ndim or len(labels) != count:
        raise UsageError(f"{path}: {count:,} images, but labels of shape {list(labels.shape)}", hint=_FORM)
    if labels.ndim > 1 and labels.size != count:
        return Classes(unlabelled=f"labels have shape {list(labels.shape)}, not one number or name an image")
    return classes(labels.ravel(), known)


def _groups(groups: NDArray[Any] | Unreadable | None) -> NDArray[np.int64] | None:
    """Unlike labels that cannot be used, such groups are refused: without them, held-out figures would flatter."""
    if isinstance(groups, Unreadable):
        raise UsageError(str(groups))
    if groups is not None and groups.dtype.kind not in "iu":
        raise UsageError(f"groups must be whole numbers, one an image, not {groups.dtype} {list(groups.shape)}")
    return None if groups is None else groups.astype(np.int64)


def _hint(names: list[str]) -> str:
    """What to do about a file without ``images``; Keras and MedMNIST keep the parts of a set in one."""
    parts = [name for name in names if part_of_shard(name)]
    return f"save the part to train on alone, of {', '.join(parts)}: {_FORM}" if parts else _FORM
