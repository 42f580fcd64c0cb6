"""Layers with an equalised learning rate: their weights are N(0, 1) as learned, and scaled when they are used.

He's initialisation scales weights by c = gain / sqrt(fan-in) once. Adam's steps do not depend on a gradient's size, so
weights of a small c would then move by a larger part of themselves. Here the scale is in the equation, y = (c w) * x,
and all weights learn at one speed (PGGAN: Karras et al., 2018, section 4.1).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganzoo.layers.resampling import Resample, ResampledConvolution

HE = math.sqrt(2)
"""The gain of a layer whose result goes through a rectifier (He et al., 2015)."""


class EqualisedLinear(nn.Module):
    """y = c m W x + m b, with c = gain / sqrt(in_features), W drawn from N(0, 1 / m^2), and m a learning rate's factor.

    Args:
        in_features, out_features: of x and of y.
        bias: b as it begins, as the layer adds it; None for none.
        gain: sqrt(2) before a rectifier; 1 otherwise.
        lr_multiplier: m, by which weights and bias move faster; StyleGAN's mapping network has 0.01.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: float | None = 0.0,
        gain: float = HE,
        lr_multiplier: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = None if bias is None else nn.Parameter(torch.full((out_features,), bias / lr_multiplier))
        self.scale = gain / math.sqrt(in_features) * lr_multiplier
        self.lr_multiplier = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """x [B, in_features] -> [B, out_features]."""
        bias = None if self.bias is None else self.bias * self.lr_multiplier
        return F.linear(x, self.weight * self.scale, bias)


class EqualisedConv2d(nn.Module):
    """y = (c m w) * x + m b, with c = gain / sqrt(fan-in); of the same size, or, low-pass filtered, of twice or half.

    Args:
        in_channels, out_channels: of x and of y.
        kernel_size: side of the kernel: 1, 3 or 5.
        bias: whether there is a b; it begins at 0.
        gain: sqrt(2) before a rectifier; 1 otherwise.
        lr_multiplier: m, by which weights and bias move faster.
        resample: "up" doubles the sides of the map, "down" halves them; see ``ganzoo.layers.resampling``.

    Raises:
        UsageError: another kernel size.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        bias: bool = True,
        gain: float = HE,
        lr_multiplier: float = 1.0,
        resample: Resample | None = None,
    ) -> None:
        super().__init__()
        self.convolve = ResampledConvolution(kernel_size, resample)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size) / lr_multiplier)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.scale = gain / math.sqrt(in_channels * kernel_size**2) * lr_multiplier
        self.lr_multiplier = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """x [B, I, H, W] -> [B, O, H, W], or of twice or half the sides."""
        y: Tensor = self.convolve(x, self.weight * self.scale)
        return y if self.bias is None else y + (self.bias * self.lr_multiplier).to(y.dtype)[:, None, None]
