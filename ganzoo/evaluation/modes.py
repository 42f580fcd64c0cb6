"""Data whose modes are all known, so that the samples of each mode can be counted."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Modes(Protocol):
    """The interface of what ``Dataset(modes="module:attribute")`` names."""

    @property
    def count(self) -> int:
        """Number of modes that the data have, all equally frequent."""

    def assign(self, pixels: "NDArray[np.uint8]") -> "NDArray[np.int64]":
        """Each sample's mode.

        Args:
            pixels: uint8 [N, C, H, W], of the data's own shape.

        Returns:
            int64 [N], 0 to count - 1, or -1 for a sample that belongs to none.

        Raises:
            UsageError: samples of another shape.
        """
