"""R3GAN's networks for any power-of-two resolution from 8 pixels: residual blocks at each, from 4x4 to the image's."""

from itertools import pairwise
from math import log2, sqrt

import torch
from torch import Tensor, nn

from ganzoo import ImageShape, UsageError
from ganzoo.layers import FilteredDownsample, FilteredUpsample
from ganzoo.training import in_fp32, widen
from ganzoo_plugins.r3gan import Options

BASE = 4
"""Side of the smallest maps."""

LAYERS = 3
"""Convolutions of a block."""

SLOPE = 0.2
GAIN = sqrt(2 / (1 + SLOPE**2))
"""What keeps the variance through a leaky rectifier (He et al., 2015)."""


def widths(shape: ImageShape, options: Options) -> list[int]:
    """Feature maps at 4 pixels, 8, ... up to the image's.

    Raises:
        UsageError: there would be none.
    """
    width = options.width if options.width is not None else 768 if shape.height > 16 else 48
    sides = [BASE * 2**doubling for doubling in range(int(log2(shape.height // BASE)) + 1)]
    found = [width // max(1, side // options.wide_to) for side in sides]
    if found[-1] < 1:
        raise UsageError(
            f"options.width={width} leaves no feature maps at {shape.height} pixels", hint="options.width: a larger one"
        )
    return found


def groups(maps: int, group: int) -> int:
    """How many groups of ``group`` maps there are; one of all, where there are fewer.

    Raises:
        UsageError: they cannot be divided.
    """
    if maps > group and maps % group:
        raise UsageError(
            f"{maps} feature maps of a block cannot be in groups of {group}",
            hint=f"options.group: a divisor of {maps}; or another options.width",
        )
    return max(1, maps // group)


class Block(nn.Module):
    """x + 1x1, grouped 3x3 and 1x1 convolutions, the first two with a bias and a leaky rectifier after them; no norm.

    Fixup (Zhang et al., 2019): the last one begins at 0, so that the block begins as its shortcut; the others are drawn
    as He et al. do, times L^(-1 / (2 m - 2)), for L blocks of m convolutions in the network.
    """

    def __init__(self, width: int, options: Options, blocks: int) -> None:
        super().__init__()
        inner = options.expansion * width
        first = nn.Conv2d(width, inner, 1)
        second = nn.Conv2d(inner, inner, 3, padding=1, groups=groups(inner, options.group))
        last = nn.Conv2d(inner, width, 1, bias=False)
        for layer in (first, second):
            draw(layer.weight, GAIN * blocks ** (-1 / (2 * LAYERS - 2)))
            nn.init.constant_(layer.bias, 0.0)  # type: ignore[arg-type]  # it has one
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(first, nn.LeakyReLU(SLOPE), second, nn.LeakyReLU(SLOPE), last)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> the same shape."""
        y: Tensor = x + self.layers(x)
        return y


def draw(weight: Tensor, gain: float = 1.0) -> None:
    """Weights [outputs, inputs, ...] from N(0, gain^2 / fan-in)."""
    nn.init.normal_(weight, 0.0, gain / sqrt(weight[0].numel()))


def transition(before: int, after: int) -> nn.Module:
    """A 1x1 convolution to another number of maps, or nothing where it is the same."""
    if before == after:
        return nn.Identity()
    convolution = nn.Conv2d(before, after, 1, bias=False)
    draw(convolution.weight)
    return convolution


class Generator(nn.Module):
    """A learned 4x4 map times a linear function of z, then blocks and doubling up to the image, by [1, 3, 3, 1].

    With labels, an embedding of as many numbers as z is beside it.
    """

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.latent_dim = options.latent_dim
        maps = widths(shape, options)
        count = options.blocks * len(maps)

        def blocks(width: int) -> list[nn.Module]:
            return [Block(width, options, count) for _ in range(options.blocks)]

        inputs = options.latent_dim
        if shape.classes:
            inputs *= 2
            self.embedding = nn.Embedding(shape.classes, options.latent_dim)
            nn.init.normal_(self.embedding.weight, 0.0, shape.classes**-0.5)
        self.scale = nn.Linear(inputs, maps[0], bias=False)
        draw(self.scale.weight)
        self.basis = nn.Parameter(torch.randn(maps[0], BASE, BASE))
        layers = blocks(maps[0])
        for before, after in pairwise(maps):
            layers += [transition(before, after), FilteredUpsample(), *blocks(after)]
        last = nn.Conv2d(maps[-1], shape.channels, 1, bias=False)
        draw(last.weight)
        self.layers = nn.Sequential(*layers, last)

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """z [B, L] and labels [B], if there are classes -> images [B, C, H, W], not bounded."""
        if labels is not None:
            z = torch.cat([z, self.embedding(labels)], 1)
        return widen(self.layers(self.scale(z)[:, :, None, None] * self.basis))


class Discriminator(nn.Module):
    """The generator's mirror image: blocks and halving down to 4x4, one weighted mean a map, and a linear layer.

    With labels, the linear layer makes as many features as there are maps, for the product with the label's embedding.
    """

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        maps = widths(shape, options)[::-1]
        count = options.blocks * len(maps)

        def blocks(width: int) -> list[nn.Module]:
            return [Block(width, options, count) for _ in range(options.blocks)]

        first = nn.Conv2d(shape.channels, maps[0], 1, bias=False)
        draw(first.weight)
        layers: list[nn.Module] = [first]
        for before, after in pairwise(maps):
            layers += [*blocks(before), FilteredDownsample(), transition(before, after)]
        basis = nn.Conv2d(maps[-1], maps[-1], BASE, groups=maps[-1], bias=False)
        draw(basis.weight)
        self.layers = nn.Sequential(*layers, *blocks(maps[-1]), basis, nn.Flatten())
        self.head = nn.Linear(maps[-1], maps[-1] if shape.classes else 1, bias=False)
        draw(self.head.weight)
        if shape.classes:
            self.embedding = nn.Embedding(shape.classes, maps[-1])
            nn.init.normal_(self.embedding.weight, 0.0, (shape.classes * maps[-1]) ** -0.5)

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Images [B, C, H, W] and labels [B], if there are classes -> logits [B]."""
        found: Tensor = in_fp32(self.head, self.layers(images))
        return found.flatten() if labels is None else (found * self.embedding(labels)).sum(1)
