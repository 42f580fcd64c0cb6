"""The changes of ADA (https://arxiv.org/abs/2006.06676, appendix B) that its authors call "bgc", with their ranges.

They are pixel blitting, geometric and colour transformations. Of each number that is drawn, 0 changes nothing.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ganzoo import ImageShape
from ganzoo_plugins.augment import BgcOptions, Change
from ganzoo_plugins.augment.warping import Warp, reflected

SHIFT = 1 / 8
"""Largest translation by whole pixels, and the standard deviation of that by fractions: shares of the image's size."""

ZOOM, STRETCH, CONTRAST, SATURATION = 0.2, 0.2, 0.5, 1.0
"""Standard deviations of the binary logarithms of factors."""

BRIGHTNESS = 0.2
"""Standard deviation of what is added."""

GEOMETRY = ("zoom", "angle_before", "stretch", "angle_after", "move_y", "move_x")
"""What is drawn for geometric transformations."""


class Pipeline:
    """Changes images, each change with a probability, and differentiable any number of times.

    Args:
        policy: the kinds of change; they act in the order blit, geometry, colour.
    """

    def __init__(self, policy: Sequence[Change]) -> None:
        self._policy = policy
        self._warp = Warp()

    def drawn(
        self, count: int, shape: ImageShape, generator: torch.Generator, device: torch.device, p: Tensor | float
    ) -> dict[str, Tensor]:
        """Parameters for ``count`` images, [B] each, of changes that have the probability ``p``.

        Returns:
            ``flip`` 0 or 1, ``turns`` of 90 degrees, ``shift_y`` and ``shift_x`` in whole pixels down and to the right;
            ``zoom`` and ``stretch``, logarithms, ``angle_before`` and ``angle_after`` the stretching, ``move_y`` and
            ``move_x`` in pixels; ``brightness``, ``contrast``, a logarithm, ``luma`` 0 or 1, ``hue``, an angle, and
            ``saturation``, a logarithm.
        """

        def uniform(low: float, high: float) -> Tensor:
            return torch.rand(count, generator=generator, device=device) * (high - low) + low

        def normal(deviation: float) -> Tensor:
            return torch.randn(count, generator=generator, device=device) * deviation

        def chosen(p: Tensor | float = p) -> Tensor:
            return uniform(0, 1) < p

        drawn: dict[str, Tensor] = {}
        sizes = {"y": shape.height, "x": shape.width}
        if "blit" in self._policy:
            drawn |= {"flip": uniform(0, 2).floor() * chosen(), "turns": uniform(0, 4).floor() * chosen()}
            shifted = chosen()
            for axis, size in sizes.items():
                drawn[f"shift_{axis}"] = (uniform(-1, 1) * SHIFT * size).round() * shifted
        if "geometry" in self._policy:
            turned = 1 - (1 - p) ** 0.5  # before or after stretching: 1 - (1 - turned)^2 = p
            drawn |= {"zoom": normal(ZOOM) * chosen(), "stretch": normal(STRETCH) * chosen()}
            drawn |= {f"angle_{when}": uniform(-math.pi, math.pi) * chosen(turned) for when in ("before", "after")}
            moved = chosen()
            drawn |= {f"move_{axis}": normal(SHIFT * size) * moved for axis, size in sizes.items()}
        if "colour" in self._policy:
            drawn |= {"brightness": normal(BRIGHTNESS) * chosen(), "contrast": normal(CONTRAST) * chosen()}
            drawn |= {"luma": uniform(0, 2).floor() * chosen(), "hue": uniform(-math.pi, math.pi) * chosen()}
            drawn["saturation"] = normal(SATURATION) * chosen()
        return drawn

    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        """The images [B, C, H, W], changed; those for which nothing was drawn are as they were."""
        given = {name: numbers.to(images.dtype) for name, numbers in drawn.items()}
        if "blit" in self._policy:
            images = _shifted(_turned(images, given), given)
        if "geometry" in self._policy:
            images = torch.where(_any(given, GEOMETRY), _transformed(images, given, self._warp), images)
        if "colour" in self._policy:
            images = _recoloured(images, given)
        return images


class Bgc(Pipeline):
    """The pipeline with a probability that is given.

    Args:
        options: it, and the kinds of change.
    """

    def __init__(self, options: BgcOptions) -> None:
        super().__init__(options.policy)
        self._p = options.p

    def draw(
        self, count: int, shape: ImageShape, generator: torch.Generator, device: torch.device
    ) -> Mapping[str, Tensor]:
        """See ``Pipeline.drawn``."""
        return self.drawn(count, shape, generator, device, self._p)


def _turned(images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
    """Mirrored from left to right, then turned anticlockwise."""
    flip, turns = (drawn[name][:, None, None, None] for name in ("flip", "turns"))
    images = torch.where(flip == 1, images.flip(3), images)
    turned = images
    for quarters in (1, 2, 3):
        turned = torch.where(turns == quarters, images.rot90(quarters, (2, 3)), turned)
    return turned


def _shifted(images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
    """out[y, x] = in[y - down, x - right], reflected at the edges: two products with matrices of zeros and ones."""
    _, _, height, width = images.shape
    return _shifting(drawn["shift_y"], height) @ images @ _shifting(drawn["shift_x"], width).mT


def _shifting(shift: Tensor, size: int) -> Tensor:
    """The matrices [B, 1, size, size]."""
    place = torch.arange(size, device=shift.device)
    source = reflected(place[:, None] - shift[:, None, None, None], size)
    return (source == place).to(shift.dtype)


def _any(drawn: Mapping[str, Tensor], names: Sequence[str]) -> Tensor:
    """[B, 1, 1, 1]: whether any of these numbers is not 0."""
    return torch.stack([drawn[name] != 0 for name in names]).any(0)[:, None, None, None]


def _transformed(images: Tensor, drawn: Mapping[str, Tensor], warp: Warp) -> Tensor:
    """Zoomed, turned, stretched in one direction and shrunk in the other, turned and moved, around the middle."""
    zoom, before, stretch, after, down, right = (drawn[name] for name in GEOMETRY)
    unstretched = torch.stack([stretch.exp2(), (-stretch).exp2()], 1).diag_embed()
    back = _rotation(-before) @ unstretched @ _rotation(-after) * (-zoom).exp2()[:, None, None]
    return warp(images, back, torch.stack([down, right], 1))  # type: ignore[no-any-return]


def _rotation(angle: Tensor) -> Tensor:
    """The matrices [B, 2, 2] that turn vectors of (down, right) by angles [B], anticlockwise as the image is seen."""
    cosine, sine = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)


def _recoloured(images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
    """c ((1 - 2 l) V + s (cos h (I - V) + sin h K)) (x + b): V = v v^T, K u = v x u, v = (1, 1, 1) / sqrt(3).

    Contrast c and brightness b are of all; the luma flip l is of what lies along v, the axis of grey; hue h and
    saturation s are of what stands upright on it. So grey images become c (1 - 2 l) (x + b).
    """
    images = images + drawn["brightness"][:, None, None, None]
    contrast, luma, hue, saturation = (drawn[name][:, None, None] for name in ("contrast", "luma", "hue", "saturation"))
    if images.shape[1] == 1:
        return images * (contrast.exp2() * (1 - 2 * luma))[:, None]
    along = images.new_full((3, 3), 1 / 3)
    one = torch.eye(3, dtype=images.dtype, device=images.device)
    turning = (one.roll(1, 0) - one.roll(1, 1)) / 3**0.5
    upright = hue.cos() * (one - along) + hue.sin() * turning
    matrix = contrast.exp2() * ((1 - 2 * luma) * along + saturation.exp2() * upright)
    return (matrix @ images.flatten(2)).view_as(images)
