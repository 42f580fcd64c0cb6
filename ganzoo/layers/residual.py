"""Residual blocks of generators and discriminators (SNGAN: Miyato et al., 2018; BigGAN: Brock et al., 2019)."""

import math

from torch import Tensor, nn

from ganzoo.layers.normalisation import ConditionalBatchNorm2d
from ganzoo.layers.spectral import spectral_norm


class ResidualUp(nn.Module):
    """A generator's block, to twice the size: norm, ReLU, up, 3x3, norm, ReLU, 3x3; beside it up, 1x1; their sum.

    "Up" repeats each pixel. The 1x1 convolution is computed before it: it sees no neighbours, so the result is the
    same, with a quarter of the arithmetic.

    Args:
        in_channels, out_channels: of the map.
        classes, features: what BatchNorm depends on, as for ``ConditionalBatchNorm2d``; on nothing if both are 0.
        spectral: whether convolutions are spectrally normalised (SAGAN, BigGAN), and the linear maps of a vector.

    Raises:
        UsageError: both ``classes`` and ``features`` are given.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, classes: int = 0, features: int = 0, spectral: bool = False
    ) -> None:
        super().__init__()
        self.conditional = bool(classes or features)

        def norm(channels: int) -> nn.Module:
            if not self.conditional:
                return nn.BatchNorm2d(channels)
            return ConditionalBatchNorm2d(
                channels, classes=classes, features=features, spectral=spectral and not classes
            )

        self.norms = nn.ModuleList([norm(in_channels), norm(out_channels)])
        self.rectify = nn.ReLU()
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.first = _convolution(in_channels, out_channels, 3, spectral)
        self.second = _convolution(out_channels, out_channels, 3, spectral)
        self.shortcut = _convolution(in_channels, out_channels, 1, spectral)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """x [B, I, H, W], and labels int64 [B] or vectors [B, features] if conditional -> [B, O, 2 H, 2 W]."""
        given = (condition,) if self.conditional else ()
        before, between = self.norms
        h = self.first(self.up(self.rectify(before(x, *given))))
        h = self.second(self.rectify(between(h, *given)))
        y: Tensor = h + self.up(self.shortcut(x))
        return y


class ResidualDown(nn.Module):
    """A discriminator's block, to half the size: ReLU, 3x3, ReLU, 3x3, mean of 2x2; beside it 1x1, mean; their sum.

    The mean is taken before the 1x1 convolution, which sees no neighbours: the result is the same, with a quarter of
    the arithmetic. Without a change of size or channels the shortcut is the identity.

    Args:
        in_channels, out_channels: of the map.
        hidden_channels: between the two convolutions: as many as in x (SNGAN) unless it is given (BigGAN: as in y).
        downsample: whether the sides are halved.
        first: whether it sees the image itself, which must not be rectified; then there is no first ReLU, and as many
            hidden channels as in y (SNGAN's "optimised" block).
        spectral: whether the convolutions are spectrally normalised.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        hidden_channels: int | None = None,
        downsample: bool = True,
        first: bool = False,
        spectral: bool = False,
    ) -> None:
        super().__init__()
        hidden = hidden_channels or (out_channels if first else in_channels)
        # A rectifier writes into no map of its own: the shortcut reads x, too.
        self.layers = nn.Sequential(
            nn.Identity() if first else nn.ReLU(),
            _convolution(in_channels, hidden, 3, spectral),
            nn.ReLU(),
            _convolution(hidden, out_channels, 3, spectral),
        )
        self.down = nn.AvgPool2d(2) if downsample else nn.Identity()
        learned = downsample or first or in_channels != out_channels
        self.shortcut = _convolution(in_channels, out_channels, 1, spectral) if learned else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """x [B, I, H, W] -> [B, O, H / 2, W / 2], or [B, O, H, W]."""
        y: Tensor = self.down(self.layers(x)) + self.shortcut(self.down(x))
        return y


def _convolution(in_channels: int, out_channels: int, kernel_size: int, spectral: bool) -> nn.Conv2d:
    """A convolution as SNGAN draws it: Glorot's uniform weights, times sqrt(2) but for shortcuts; biases are 0."""
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
    nn.init.xavier_uniform_(convolution.weight, math.sqrt(2) if kernel_size > 1 else 1.0)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return spectral_norm(convolution) if spectral else convolution
