"""DiffAugment: https://arxiv.org/abs/2006.10738, section 4, with the ranges of its authors' code.

Pixels that translation and cutout leave empty are 0, as in that code: the middle of [-1, 1], grey.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganzoo import ImageShape
from ganzoo_plugins.augment import Options

SHIFT = 1 / 8
"""Largest translation, as a share of the image's size."""

CUT = 1 / 2
"""Side of the cutout, as a share of the image's size."""


class DiffAugment:
    """Changes images by sums and products with what was drawn, so that it can be differentiated any number of times.

    Args:
        options: the kinds of change, and how probable a change is: a number, or a tensor [] of a schedule.
    """

    def __init__(self, options: Options) -> None:
        self._policy = options.policy
        self._p: float | Tensor = options.p

    def draw(
        self, count: int, shape: ImageShape, generator: torch.Generator, device: torch.device
    ) -> Mapping[str, Tensor]:
        """Parameters for ``count`` images.

        Returns:
            ``brightness`` on [-.5, .5), ``saturation`` on [0, 2) and ``contrast`` on [.5, 1.5), [B, 1, 1, 1];
            ``shift_y``, ``shift_x`` (down and to the right) and ``cut_y``, ``cut_x`` (the cutout's upper left corner,
            which may lie outside by half its side), int64 [B], in pixels; where p is not 1, ``changed``, bool
            [B, 1, 1, 1].
        """

        def uniform(low: float, high: float) -> Tensor:
            return torch.rand(count, 1, 1, 1, generator=generator, device=device) * (high - low) + low

        def pixels(low: int, high: int) -> Tensor:
            return torch.randint(low, high + 1, (count,), generator=generator, device=device)

        drawn: dict[str, Tensor] = {}
        if "colour" in self._policy:
            drawn |= {"brightness": uniform(-0.5, 0.5), "saturation": uniform(0, 2), "contrast": uniform(0.5, 1.5)}
        if "translation" in self._policy:
            for axis, size in (("y", shape.height), ("x", shape.width)):
                drawn[f"shift_{axis}"] = pixels(-_part(SHIFT, size), _part(SHIFT, size))
        if "cutout" in self._policy:
            for axis, size in (("y", shape.height), ("x", shape.width)):
                side = _part(CUT, size)
                # The square's middle lies in the image: on a pixel if its side is odd, else between two or at an edge.
                drawn[f"cut_{axis}"] = pixels(-(side // 2), size - 1 + (side + 1) % 2 - side // 2)
        if self._sometimes:
            drawn["changed"] = uniform(0, 1) < self._p
        return drawn

    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        """The images [B, C, H, W], changed."""
        given = images
        if "colour" in self._policy:
            images = images + drawn["brightness"]
            images = _spread(images, images.mean(1, keepdim=True), drawn["saturation"])
            images = _spread(images, images.mean((1, 2, 3), keepdim=True), drawn["contrast"])
        if "translation" in self._policy:
            images = _translated(images, drawn["shift_y"], drawn["shift_x"])
        if "cutout" in self._policy:
            images = images * _outside(images, drawn["cut_y"], drawn["cut_x"])
        return torch.where(drawn["changed"], images, given) if self._sometimes else images

    @property
    def _sometimes(self) -> bool:
        return isinstance(self._p, Tensor) or self._p < 1


def _part(share: float, size: int) -> int:
    """A share of ``size`` in pixels, rounded half up."""
    return int(size * share + 0.5)


def _spread(images: Tensor, middle: Tensor, factor: Tensor) -> Tensor:
    return middle + (images - middle) * factor


def _translated(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """out[y, x] = in[y - down, x - right], or 0 where that lies outside.

    Computed as two products with matrices of zeros and ones, A[i, j] = [i - j = shift]: this is exact, needs no indices
    that differ from image to image, and each derivative is again such a product.
    """
    _, _, height, width = images.shape
    return _moving(down, height, images.dtype) @ images @ _moving(right, width, images.dtype).mT


def _moving(shift: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """The matrices A, [B, 1, size, size]."""
    place = torch.arange(size, device=shift.device)
    return (place[:, None] - place == shift.view(-1, 1, 1, 1)).to(dtype)


def _outside(images: Tensor, top: Tensor, left: Tensor) -> Tensor:
    """[B, 1, H, W]: 0 in the square, 1 outside."""
    _, _, height, width = images.shape
    inside = _within(top, height)[:, None, :, None] & _within(left, width)[:, None, None, :]
    return (~inside).to(images.dtype)


def _within(start: Tensor, size: int) -> Tensor:
    """[B, size]: whether a place belongs to the cutout that begins at ``start``."""
    after = torch.arange(size, device=start.device) - start.view(-1, 1)
    return (after >= 0) & (after < _part(CUT, size))
