"""NumPy files: ``.npy`` (images) and ``.npz`` (images, and labels and class_names if it has them)."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo import UsageError
from ganzoo.data import CHANNELS, ImageSet
from ganzoo_plugins.readers.labels import Classes, classes

NAMES = ("images", "labels", "class_names")

TOLERANCE = 1e-3
"""How far values may lie outside their range, as arithmetic on floats leaves them; they are clipped."""

AMBIGUOUS = -0.25
"""A minimum between this and -``TOLERANCE`` fits either range: [0, 1] with overshoot, or [-1, 1] with pale images."""

_UNREAD = np.zeros(0)
_FORM = "np.savez(path, images=...), and labels=... and class_names=... if it has them"
_RANGES = "uint8, or floats on [0, 1] or [-1, 1]"


def read(path: Path) -> ImageSet:
    """Read ``path``; nothing in it is ever unpickled.

    Images are [N, H, W], [N, H, W, C] or [N, C, H, W] with C = 1 or 3, uint8, or floats on [0, 1] or [-1, 1], which may
    be exceeded by a thousandth. An ``.npz`` holds them as ``images`` (or as its only array), and may hold integer
    ``labels`` [N] and ``class_names``.

    Raises:
        UsageError: anything else.
    """
    arrays = _load(path)
    if "images" not in arrays and len(arrays) == 1:
        arrays = {"images": next(iter(arrays.values()))}
    if "images" not in arrays:
        raise UsageError(
            f"{path}: no array called 'images' among {', '.join(sorted(arrays)) or 'none'}",
            hint=_FORM,
        )
    pixels = _channels_first(path, _to_uint8(path, arrays["images"]))
    labels, class_names = _labels(path, arrays)
    try:
        return ImageSet(pixels=pixels, labels=labels, class_names=class_names)
    except UsageError as error:
        raise UsageError(f"{path}: {error}", hint=_FORM) from error


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"images": loaded}
            only = len(loaded.files) == 1
            return {name: loaded[name] if only or name in NAMES else _UNREAD for name in loaded.files}
    except (OSError, ValueError, EOFError) as error:
        # Without NumPy's advice on how to load pickles, which would run what is in them.
        reason = "" if "pickle" in str(error) else f" ({_line(error)})"
        raise UsageError(f"{path}: not a NumPy file of plain numbers{reason}", hint=_FORM) from error
    except Exception as error:  # zipfile.BadZipFile, zlib.error and others, for a damaged .npz
        raise UsageError(f"{path}: damaged ({_line(error)})", hint="write or copy it again") from error


def _to_uint8(path: Path, images: NDArray[Any]) -> NDArray[np.uint8]:
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise UsageError(f"{path}: images are {images.dtype}", hint=_RANGES)
    if not images.size or not np.isfinite(images).all():
        raise UsageError(f"{path}: images are empty, or hold NaN or infinity", hint=_RANGES)
    low, high = float(images.min()), float(images.max())
    if low < -1 - TOLERANCE or high > 1 + TOLERANCE:
        raise UsageError(f"{path}: images lie in [{low:g}, {high:g}]", hint=_RANGES)
    if AMBIGUOUS < low < -TOLERANCE:
        raise UsageError(
            f"{path}: images lie in [{low:g}, {high:g}], which may be meant as [0, 1] or as [-1, 1]",
            hint="clip them to [0, 1], or write them as uint8",
        )
    unit = np.clip(images if low >= -TOLERANCE else (images + 1) / 2, 0, 1)
    return np.rint(unit * 255).astype(np.uint8)


def _channels_first(path: Path, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if images.ndim == 3 and images.shape[2] in CHANNELS:
        raise UsageError(
            f"{path}: images have shape {list(images.shape)}, which is one image [H, W, C]",
            hint="save several at once, np.stack([image, ...]), or put image files into a folder",
        )
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4 and images.shape[3] in CHANNELS:
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    if images.ndim == 4 and images.shape[1] in CHANNELS:
        return images
    raise UsageError(f"{path}: images have shape {list(images.shape)}", hint="[N, H, W], or with 1 or 3 channels")


def _labels(path: Path, arrays: dict[str, NDArray[Any]]) -> Classes:
    names = arrays.get("class_names", _UNREAD).ravel().tolist()
    if "labels" not in arrays:
        return None, tuple(names)
    labels = arrays["labels"]
    if not np.issubdtype(labels.dtype, np.integer) or labels.ndim != 1 or not len(labels):
        raise UsageError(f"{path}: labels must be integers [N], not {labels.dtype} {list(labels.shape)}", hint=_FORM)
    return classes(path, labels.tolist(), names)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
