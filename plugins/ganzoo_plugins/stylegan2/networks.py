"""StyleGAN2's networks for any power-of-two resolution from 8 pixels: a skip generator, and a plain discriminator."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from ganzoo import ImageShape
from ganzoo.layers import (
    EqualisedConv2d,
    EqualisedLinear,
    FilteredUpsample,
    MinibatchStdDev,
    ModulatedConv2d,
    PixelNorm,
)
from ganzoo.training import in_fp32, widen
from ganzoo_plugins.stylegan2 import Options

BASE = 4
"""Side of the smallest maps."""

ROOT_TWO = 2**0.5
"""By it a map is multiplied behind a rectifier, so that its mean square stays 1 (He et al., 2015)."""

MEAN_RATE = 0.005
"""Share of w's mean that a batch makes up: 1 - 0.995."""


def feature_maps(shape: ImageShape, options: Options) -> dict[int, int]:
    """Side of the maps, 4, 8, ... up to the image's -> how many there are: min(base / side, width)."""
    default = 512 if shape.height > 16 else 32
    width = options.width if options.width is not None else default
    sides = [BASE << doubling for doubling in range((shape.height // BASE).bit_length())]
    return {side: max(1, min(options.channel_base // side, width)) for side in sides}


class Mapping(nn.Module):
    """z on the sphere of radius sqrt(L) -> w, by layers that learn at a hundredth of the others' rate.

    ``w_mean`` follows the mean of w, towards which truncation pulls (Karras et al., 2019, section B).
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        sizes = [options.latent_dim] + [options.style_dim] * options.mapping_layers
        layers: list[nn.Module] = [PixelNorm()]
        for before, after in pairwise(sizes):
            layers += [EqualisedLinear(before, after, lr_multiplier=0.01), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.register_buffer("w_mean", torch.zeros(options.style_dim))
        self.w_mean: Tensor

    def forward(self, z: Tensor, truncation: Tensor | None) -> Tensor:
        """z [B, L] and truncation [B, 1] -> w [B, S]."""
        w: Tensor = widen(self.layers(z))
        if self.training:
            self.w_mean.lerp_(w.detach().mean(0), MEAN_RATE)
        return w if truncation is None else self.w_mean.lerp(w, truncation)


class StyledConvolution(nn.Module):
    """A modulated convolution, noise of a learned strength, a bias, LeakyReLU(.2).

    The noise, one number a pixel, is drawn anew in training; in eval mode it is always the same, a buffer.
    """

    def __init__(self, in_channels: int, out_channels: int, side: int, style_dim: int, *, up: bool) -> None:
        super().__init__()
        self.convolution = ModulatedConv2d(in_channels, out_channels, 3, style_dim, resample="up" if up else None)
        self.register_buffer("noise", torch.randn(side, side))
        self.noise: Tensor
        self.strength = nn.Parameter(torch.zeros(()))
        self.rectify = nn.LeakyReLU(0.2)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [B, I, H, W] and w [B, S] -> [B, O, H, W], or of twice the sides."""
        x = self.convolution(x, w)
        noise = torch.randn_like(x[:, :1]) if self.training else self.noise
        y: Tensor = self.rectify(x + (noise * self.strength).to(x.dtype)) * ROOT_TWO
        return y


class Block(nn.Module):
    """Maps of one resolution: a convolution from half of it, but for the first, another one, and an image of it."""

    def __init__(self, before: int, maps: int, side: int, channels: int, style_dim: int) -> None:
        super().__init__()
        layers = [StyledConvolution(maps, maps, side, style_dim, up=False)]
        if side > BASE:
            layers.insert(0, StyledConvolution(before, maps, side, style_dim, up=True))
        self.layers = nn.ModuleList(layers)
        self.to_image = ModulatedConv2d(maps, channels, 1, style_dim, demodulate=False)

    def forward(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, I, H, W] and w [B, S] -> maps, and an image in fp32, of one resolution."""
        for layer in self.layers:
            x = layer(x, w)
        return x, widen(self.to_image(x, w))


class Generator(nn.Module):
    """w modulates all convolutions of a learned constant; the image is the sum of those of all resolutions."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.latent_dim = options.latent_dim
        self.mapping = Mapping(options)
        maps = feature_maps(shape, options)
        self.constant = nn.Parameter(torch.randn(1, maps[BASE], BASE, BASE))
        self.blocks = nn.ModuleList(
            Block(maps.get(side // 2, 0), count, side, shape.channels, options.style_dim)
            for side, count in maps.items()
        )
        self.up = FilteredUpsample()

    def forward(self, z: Tensor, labels: Tensor | None, truncation: Tensor | None = None) -> Tensor:
        """z [B, L] -> images [B, C, H, W]; ``truncation`` [B, 1] pulls w to its mean: 0 is the mean, 1 w itself."""
        w = self.mapping(z, truncation)
        first, *others = self.blocks
        image: Tensor
        x, image = first(self.constant.expand(z.shape[0], -1, -1, -1), w)
        for block in others:
            x, detail = block(x, w)
            image = self.up(image) + detail
        return image


class Discriminator(nn.Module):
    """The image halved down to 4x4 by pairs of convolutions, then the standard deviation in the batch, and a logit."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        maps = feature_maps(shape, options)
        counts = [maps[side] for side in sorted(maps, reverse=True)]
        layers: list[nn.Module] = [EqualisedConv2d(shape.channels, counts[0], 1), nn.LeakyReLU(0.2)]
        for before, after in pairwise(counts):
            layers += [EqualisedConv2d(before, before, 3), nn.LeakyReLU(0.2)]
            layers += [EqualisedConv2d(before, after, 3, resample="down"), nn.LeakyReLU(0.2)]
        last = counts[-1]
        layers += [MinibatchStdDev(options.stddev_group), EqualisedConv2d(last + 1, last, 3), nn.LeakyReLU(0.2)]
        layers += [nn.Flatten(), EqualisedLinear(last * BASE**2, last), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.head = EqualisedLinear(last, 1, gain=1.0)

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Images [B, C, H, W] -> logits [B]."""
        return in_fp32(self.head, self.layers(images)).flatten()
