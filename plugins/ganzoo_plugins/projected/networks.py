"""Projected GAN's discriminator: a frozen network, random mixing of its maps, and a critic of each."""

from math import ceil, log2

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganzoo import ImageShape
from ganzoo.layers import spectral_norm
from ganzoo.training import widen
from ganzoo_plugins.effnet.networks import CHANNELS
from ganzoo_plugins.effnet.weights import pretrained
from ganzoo_plugins.projected import STRIDE, Options

FINEST = 4
"""Pixels of an image's side for one of the finest of the frozen network's maps."""

LAST = 8
"""Side of the maps that a critic's last layer sees, if they are not smaller from the beginning."""

TIMES_WIDTH = {8: 8, 16: 4, 32: 2}
"""Feature maps of a critic, as a multiple of ``critic_width``; elsewhere once."""


def resized(shape: ImageShape, options: Options) -> int:
    """Side of the images that the frozen network sees."""
    if options.resize is not None:
        return options.resize
    return STRIDE if shape.height <= 16 else 2 * STRIDE if shape.height <= 32 else max(224, shape.height)


class RandomConvolution(nn.Module):
    """A 1x1 convolution that stays as it was drawn: by He's uniform distribution, as torch draws it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        drawn = nn.Conv2d(inputs, outputs, 1)
        assert drawn.bias is not None  # noqa: S101 - for mypy
        self.register_buffer("weight", drawn.weight.detach())
        self.register_buffer("bias", drawn.bias.detach())
        self.weight: Tensor
        self.bias: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """x [B, I, H, W] -> [B, O, H, W]."""
        return F.conv2d(x, self.weight, self.bias)


class Mixing(nn.Module):
    """Random mixing of four maps, fine to coarse (section 3.2 and figure 2 of the paper).

    Across channels: a random 1x1 convolution of each. Across scales, from the coarsest: the sum with the map of that
    size, twice the size, bilinear, and a random 1x1 convolution.
    """

    def __init__(self, mixed: int) -> None:
        super().__init__()
        wide = [mixed * 2**scale for scale in range(len(CHANNELS))]
        self.channels = [mixed, *wide[:-1]]  # of what comes out
        self.across_channels = nn.ModuleList(map(RandomConvolution, CHANNELS, wide))
        self.across_scales = nn.ModuleList(map(RandomConvolution, wide, self.channels))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps [B, C_i, S / 2^(2 + i), ...] -> as many of twice the sides, in the same order."""
        found: list[Tensor] = []
        for mix, up, x in reversed(list(zip(self.across_channels, self.across_scales, maps, strict=True))):
            summed = mix(x) + found[-1] if found else mix(x)
            doubled = F.interpolate(summed, scale_factor=2, mode="bilinear", align_corners=True)
            found.append(up(doubled))
        return found[::-1]


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    """A spectrally normalised convolution without bias."""
    return spectral_norm(nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False))


class Critic(nn.Sequential):
    """Maps halved down to 8x8 by strided convolutions with BatchNorm and LeakyReLU(.2), then logits of patches."""

    def __init__(self, inputs: int, side: int, width: int) -> None:
        layers: list[nn.Module] = []
        last = min(LAST, side)
        while side > last:
            side //= 2
            outputs = width * TIMES_WIDTH.get(side, 1)
            layers += [convolution(inputs, outputs, 4, 2, 1), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
            inputs = outputs
        super().__init__(*layers, convolution(inputs, 1, min(4, last)), nn.Flatten())


class Discriminator(nn.Module):
    """Four critics, each of one of the mixed maps; the frozen network and the mixing do not learn."""

    def __init__(self, shape: ImageShape, options: Options) -> None:
        super().__init__()
        self.side = resized(shape, options)
        self.features = pretrained()
        self.mixing = Mixing(options.mixed)
        # What is not a power of two is halved as often as the next one: 112 pixels to 7.
        sides = [2 ** ceil(log2(2 * self.side / (FINEST * 2**scale))) for scale in range(len(CHANNELS))]
        self.critics = nn.ModuleList(
            Critic(channels, side, options.critic_width)
            for channels, side in zip(self.mixing.channels, sides, strict=True)
        )

    def forward(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Images [B, C, H, W] -> logits [B, K] of all patches of all critics; grey ones as three equal channels."""
        colour = images.expand(-1, 3, -1, -1)
        looked_at = F.interpolate(colour, (self.side, self.side), mode="bilinear", align_corners=False)
        maps = self.mixing(self.features(looked_at.contiguous(memory_format=torch.channels_last)))
        return torch.cat([widen(critic(x)) for critic, x in zip(self.critics, maps, strict=True)], 1)
