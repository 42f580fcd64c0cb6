"""Checks what figures are computed from, and says what is wrong with everything else."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganzoo.errors import UsageError

Float = NDArray[np.float64]


def rows_of(array: ArrayLike, name: str = "features") -> Float:
    """``array`` [N, D] in float64.

    Raises:
        UsageError: it has another form, no rows, or numbers that are not finite.
    """
    given = np.asarray(array)
    if given.ndim != 2 or not given.size or given.dtype.kind not in "fiu":
        hint = "give one row an image: [N, D]"
        raise UsageError(f"{name} must be numbers [N, D], not {given.dtype} {list(given.shape)}", hint=hint)
    bad = np.flatnonzero(~np.isfinite(given).all(axis=1))
    if len(bad):
        hint = "look at that image, or use another extractor"
        raise UsageError(f"{name}: {len(bad)} of {len(given)} rows hold NaN or infinity, first row {bad[0]}", hint=hint)
    return given.astype(np.float64)


def pair_of(x: ArrayLike, y: ArrayLike) -> tuple[Float, Float]:
    """Two sets of features that can be compared, in float64.

    Raises:
        UsageError: fewer than 2 rows, different D, or what ``rows_of`` refuses.
    """
    one, other = rows_of(x), rows_of(y)
    require_same_width(one.shape[1], other.shape[1])
    if min(len(one), len(other)) < 2:
        raise UsageError(f"cannot compare {images(len(one))} with {images(len(other))}", hint="give at least 2 of each")
    return one, other


def require_same_width(one: int, other: int, name: str = "features") -> None:
    """Refuse rows of different dimensions.

    Raises:
        UsageError: the dimensions differ.
    """
    if one != other:
        raise UsageError(f"{name} of {one} and of {other} dimensions cannot be compared", hint="use one extractor")


def whole_numbers(array: ArrayLike, length: int | None, low: int, high: int, name: str) -> NDArray[np.int64]:
    """``array`` [N] of whole numbers from ``low`` to ``high`` - 1.

    Args:
        length: N; None: at least 1.

    Raises:
        UsageError: it is something else.
    """
    given = np.asarray(array)
    if given.ndim != 1 or not given.size or given.dtype.kind not in "iu" or length not in (None, len(given)):
        raise UsageError(
            f"{name} must be whole numbers [{length or 'N'}], not {given.dtype} {list(given.shape)}",
            hint="give one an image",
        )
    if given.min() < low or given.max() >= high:
        raise UsageError(f"{name} lie in {given.min()} to {given.max()}", hint=f"they must lie in {low} to {high - 1}")
    return given.astype(np.int64)


def images(count: int) -> str:
    """``1 image``, ``2 images``."""
    return f"{count} image{'s' * (count != 1)}"
