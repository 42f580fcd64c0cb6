"""The blocks of FastGAN's networks; all convolutions are spectrally normalised, as Projected GAN has them."""

import torch
from torch import Tensor, nn

from ganzoo.layers import spectral_norm


def convolution(inside: int, outside: int, kernel_size: int, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    """A convolution W / sigma(W), without a bias."""
    return spectral_norm(nn.Conv2d(inside, outside, kernel_size, stride, padding, bias=False))


class Noise(nn.Module):
    """In training, adds w n to all channels, n of N(0, 1) for each pixel, w learnt from 0 on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> the same shape."""
        return x + self.weight * torch.randn_like(x[:, :1]) if self.training else x


def convolved(inside: int, outside: int, noise: bool = False) -> list[nn.Module]:
    """3x3, noise, BatchNorm and a gated linear unit: [B, I, H, W] -> [B, O, H, W]."""
    return [
        convolution(inside, 2 * outside, 3, padding=1),
        *([Noise()] if noise else []),
        nn.BatchNorm2d(2 * outside),
        nn.GLU(1),
    ]


def doubled(inside: int, outside: int, *, twice: bool = False) -> nn.Sequential:
    """Twice the size by repeated pixels, then one convolution, or two with noise: [B, I, H, W] -> [B, O, 2 H, 2 W]."""
    second = convolved(outside, outside, noise=True) if twice else []
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), *convolved(inside, outside, twice), *second)


class SkipLayerExcitation(nn.Module):
    """y = F(x_low, W) x_high, one factor on (0, 1) a channel: equation 1 of the paper.

    F takes the mean down to 4x4, then 4x4 to 1x1, LeakyReLU(.1), 1x1 and the logistic function (section 3.1).

    Args:
        low, high: channels of either map.
        side: of the coarse map in pixels: 2, or a multiple of 4.
    """

    def __init__(self, low: int, high: int, side: int) -> None:
        super().__init__()
        pooled = min(side, 4)
        self.factor = nn.Sequential(
            nn.AvgPool2d(side // pooled),
            convolution(low, high, pooled),
            nn.LeakyReLU(0.1),
            convolution(high, high, 1),
            nn.Sigmoid(),
        )

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        """x_low [B, L, side, side] and x_high [B, H, ...] -> the shape of x_high."""
        excited: Tensor = self.factor(low) * high
        return excited


class Halved(nn.Module):
    """The discriminator's block, to half the size: the mean of two paths.

    4x4 in steps of 2, BatchNorm, LeakyReLU(.2), 3x3, BatchNorm, LeakyReLU; and mean of 2x2, 1x1, BatchNorm, LeakyReLU.
    """

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            convolution(inside, outside, 4, 2, 1),
            nn.BatchNorm2d(outside),
            nn.LeakyReLU(0.2),
            convolution(outside, outside, 3, padding=1),
            nn.BatchNorm2d(outside),
            nn.LeakyReLU(0.2),
        )
        self.direct = nn.Sequential(
            nn.AvgPool2d(2), convolution(inside, outside, 1), nn.BatchNorm2d(outside), nn.LeakyReLU(0.2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """x [B, I, H, W] -> [B, O, H / 2, W / 2]."""
        halved: Tensor = (self.main(x) + self.direct(x)) / 2
        return halved
