"""NumPy files: ``.npy`` (images) and ``.npz`` (images, and labels and class_names if it has them)."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo.data.imageset import ImageSet
from ganzoo.errors import UsageError

CHANNELS = (1, 3)


def read_array(path: Path) -> ImageSet:
    """Read ``path``; nothing in it is ever unpickled.

    Images are [N, H, W], [N, H, W, C] or [N, C, H, W] with C = 1 or 3, uint8, or floats on [0, 1] or [-1, 1]. An
    ``.npz`` holds them as ``images`` (or as its only array), and may hold integer ``labels`` [N] and ``class_names``.

    Raises:
        UsageError: anything else.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = {"images": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path}: not a NumPy file of plain numbers ({_line(error)})") from error
    except Exception as error:  # zipfile.BadZipFile and zlib.error, for a damaged .npz
        raise UsageError(f"{path}: damaged ({_line(error)})") from error
    if "images" not in arrays and len(arrays) == 1:
        arrays = {"images": next(iter(arrays.values()))}
    if "images" not in arrays:
        raise UsageError(
            f"{path}: no array called 'images' among {', '.join(sorted(arrays)) or 'none'}",
            hint="np.savez(path, images=..., labels=...)",
        )
    labels, class_names = _labels(path, arrays)
    return ImageSet(
        pixels=_channels_first(path, _to_uint8(path, arrays["images"])),
        labels=labels,
        class_names=class_names,
    )


def _to_uint8(path: Path, images: NDArray[Any]) -> NDArray[np.uint8]:
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise UsageError(f"{path}: images are {images.dtype}", hint="uint8, or floats on [0, 1] or [-1, 1]")
    if not images.size or not np.isfinite(images).all():
        raise UsageError(f"{path}: images are empty, or hold NaN or infinity")
    low, high = float(images.min()), float(images.max())
    if low < -1 or high > 1:
        raise UsageError(f"{path}: images lie in [{low:g}, {high:g}]", hint="uint8, or floats on [0, 1] or [-1, 1]")
    unit = images if low >= 0 else (images + 1) / 2
    return np.rint(unit * 255).astype(np.uint8)


def _channels_first(path: Path, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4 and images.shape[3] in CHANNELS:
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    if images.ndim == 4 and images.shape[1] in CHANNELS:
        return images
    raise UsageError(f"{path}: images have shape {list(images.shape)}", hint="[N, H, W], or with 1 or 3 channels")


def _labels(path: Path, arrays: dict[str, NDArray[Any]]) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    if "labels" not in arrays:
        return None, ()
    labels = arrays["labels"]
    if not np.issubdtype(labels.dtype, np.integer) or labels.ndim != 1 or not len(labels) or labels.min() < 0:
        raise UsageError(f"{path}: labels must be integers [N] from 0, not {labels.dtype} {list(labels.shape)}")
    names = arrays.get("class_names", np.arange(int(labels.max()) + 1))
    return labels.astype(np.int64), tuple(str(name) for name in names)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
