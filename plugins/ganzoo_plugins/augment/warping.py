"""Images read at other places, without aliasing, and by products and gathering alone.

``torch.nn.functional.grid_sample`` can be differentiated once; a gradient penalty needs it twice.
"""

import torch
from torch import Tensor, nn

SYM6 = (
    0.0154041093,
    0.0034907121,
    -0.1179901111,
    -0.0483117426,
    0.4910559419,
    0.7876411410,
    0.3379294217,
    -0.0726375228,
    -0.0210602925,
    0.0447249018,
    0.0017677119,
    -0.0078007083,
)
"""Daubechies' least asymmetric wavelet with six vanishing moments: orthogonal to itself moved by two, four, …"""

BEFORE = 5
"""Taps before the pixel itself."""

MIDDLE = sum(place * tap for place, tap in enumerate(SYM6)) / sum(SYM6) - BEFORE
"""The middle of all taps, from the pixel itself."""

MARGIN = 3
"""Pixels beyond each edge that the wavelet sees when it halves."""


def reflected(place: Tensor, size: int) -> Tensor:
    """A place on a line of pixels 0 to ``size`` - 1, of at least 2, mirrored at its ends as often as it takes."""
    last = size - 1
    return last - (place.remainder(2 * last) - last).abs()


class Warp(nn.Module):
    """out(u) = in(back (u - moved)), u a place relative to the image's middle; beyond the edges lie reflections.

    The image is doubled by the wavelet, read between the pixels linearly, and halved by the same wavelet, as in ADA's
    code: where nothing moves, the one takes the other back.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("taps", torch.tensor(SYM6))
        self.taps: Tensor

    def forward(self, images: Tensor, back: Tensor, moved: Tensor) -> Tensor:
        """Images [B, C, H, W], matrices [B, 2, 2] and vectors [B, 2] of (down, right) -> [B, C, H, W]."""
        height, width = images.shape[2:]
        taps = self.taps.to(images.dtype)
        doubled = _doubling(height, taps) @ images @ _doubling(width, taps).mT
        down = _places(height, taps)[:, None] - moved[:, 0, None, None]
        right = _places(width, taps) - moved[:, 1, None, None]
        rows, columns = (
            _pixel(row[:, 0, None, None] * down + row[:, 1, None, None] * right, size)
            for row, size in zip(back.unbind(1), (height, width), strict=True)
        )
        return _halving(height, taps) @ _read(doubled, rows, columns) @ _halving(width, taps).mT


def _places(size: int, like: Tensor) -> Tensor:
    """Where the pixels of the doubled line lie, in pixels of the line of ``size``, from its middle."""
    pixels = torch.arange(2 * (size + 2 * MARGIN), dtype=like.dtype, device=like.device)
    return (pixels - MIDDLE) / 2 - MARGIN - (size - 1) / 2


def _pixel(place: Tensor, size: int) -> Tensor:
    """Which pixel of the doubled line lies at a place; beyond the margins, at its reflection."""
    place = place + (size - 1) / 2
    outside = (place < -MARGIN) | (place > size - 1 + MARGIN)
    return 2 * (torch.where(outside, reflected(place, size), place) + MARGIN) + MIDDLE


def _doubling(size: int, taps: Tensor) -> Tensor:
    """The matrix [2 (size + 2 MARGIN), size] that doubles a line and its margins, of reflected pixels."""
    around = torch.arange(-2 * MARGIN, size + 2 * MARGIN, device=taps.device)
    pixels = torch.arange(size, device=taps.device)
    reflecting = (reflected(around[:, None], size) == pixels).to(taps.dtype)
    return _weights(around, size, taps).mT @ reflecting


def _halving(size: int, taps: Tensor) -> Tensor:
    """The matrix [size, 2 (size + 2 MARGIN)] that halves a doubled line, and leaves the margins out."""
    return _weights(torch.arange(size, device=taps.device), size, taps) / 2


def _weights(pixels: Tensor, size: int, taps: Tensor) -> Tensor:
    """[n, 2 (size + 2 MARGIN)]: sqrt(2) times the taps by which n pixels count in a doubled line of ``size``."""
    doubled = torch.arange(-2 * MARGIN, 2 * (size + MARGIN), device=taps.device)
    tap = doubled - 2 * pixels[:, None] + BEFORE
    known = (tap >= 0) & (tap < len(taps))
    return taps[tap.clamp(0, len(taps) - 1)] * known * 2**0.5


def _read(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Images [B, C, H, W] at places [B, h, w] between their pixels, by the four next to each: [B, C, h, w]."""
    top, left = rows.floor(), columns.floor()
    below, beside = (rows - top)[:, None], (columns - left)[:, None]
    first = (top * images.shape[3] + left).long().flatten(1)[:, None].expand(-1, images.shape[1], -1)
    pixels = images.flatten(2)

    def corner(offset: int) -> Tensor:
        return pixels.gather(2, first + offset).view(*images.shape[:2], *rows.shape[1:])

    upper, lower = (corner(start).lerp(corner(start + 1), beside) for start in (0, images.shape[3]))
    return upper.lerp(lower, below)
