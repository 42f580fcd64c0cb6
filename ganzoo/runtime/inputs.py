"""What a generator may be given: ONNX Runtime itself takes label -1 for the last class, and accepts NaN."""

import operator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import UsageError

if TYPE_CHECKING:
    from ganzoo.runtime.card import GeneratorCard


def check_inputs(card: "GeneratorCard", z: NDArray[np.float32], labels: NDArray[np.int64] | None) -> None:
    """Refuse latents that are not finite float32 [N, L], and labels that are not int64 [N] of the card's classes.

    Raises:
        UsageError: says what is wrong.
    """
    latent_dim, classes = card.latent_dim, len(card.class_names)
    if not isinstance(z, np.ndarray) or not isinstance(labels, np.ndarray | None):
        raise UsageError("z and labels must be NumPy arrays", hint="ganzoo.latents.draw makes them of a seed")
    if z.dtype != np.float32 or z.ndim != 2 or z.shape[1] != latent_dim or not np.isfinite(z).all():
        raise UsageError(f"z must be finite float32 [N, {latent_dim}], not {z.dtype} {list(z.shape)}")
    if (labels is not None) != bool(classes):
        raise UsageError(f"{card.name} takes {'labels' if classes else 'no labels'}")
    if labels is None:
        return
    if labels.dtype != np.int64 or labels.shape != (len(z),):
        raise UsageError(f"labels must be int64 [{len(z)}], not {labels.dtype} {list(labels.shape)}")
    if ((labels < 0) | (labels >= classes)).any():
        raise UsageError(f"labels must be 0 to {classes - 1}")


def whole(value: int, name: str, low: int, high: int) -> int:
    """A Python or NumPy integer in a range, as ``int``.

    Raises:
        UsageError: it is none, or out of range.
    """
    try:
        number = low - 1 if isinstance(value, bool) else operator.index(value)  # True would pass for 1
    except TypeError:
        number = low - 1
    if not low <= number <= high:
        hint = "draw the rest with another start" if number > high and name == "n" else None
        raise UsageError(f"{name} must be a whole number from {low} to {high}, not {value!r}", hint=hint)
    return number
