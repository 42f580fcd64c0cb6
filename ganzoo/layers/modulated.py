"""Convolutions whose weights a style scales, for generators in the manner of StyleGAN2."""

import math

import torch
from torch import Tensor, nn

from ganzoo.layers.equalised import EqualisedLinear
from ganzoo.layers.resampling import Resample, ResampledConvolution
from ganzoo.step import widen


class ModulatedConv2d(nn.Module):
    """A convolution with each sample's own weights (StyleGAN2: Karras et al., 2020, eq. 1 to 3).

    With s = A(w) a linear map of the style, i an input channel, j an output channel and k a place of the kernel,

        w'_ijk = s_i w_ijk,    w''_ijk = w'_ijk / sqrt(sum_ik w'_ijk^2 + 1e-8).

    The kernel is the same for all samples: s scales the map before, and the demodulation the map after the convolution,
    which is linear in between. So a batch is one convolution, and any batch can be exported.

    Args:
        in_channels, out_channels: of the map.
        kernel_size: side of the kernel: 1, 3 or 5.
        style_features: length of w.
        demodulate: whether eq. 3 is applied; not where the result is an image.
        bias: whether one is added; it begins at 0.
        resample: "up" doubles the sides of the map, "down" halves them; see ``ganzoo.layers.resampling``.

    Raises:
        UsageError: another kernel size.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        style_features: int,
        *,
        demodulate: bool = True,
        bias: bool = True,
        resample: Resample | None = None,
    ) -> None:
        super().__init__()
        self.convolve = ResampledConvolution(kernel_size, resample)
        self.style = EqualisedLinear(style_features, in_channels, bias=1.0, gain=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.scale = 1 / math.sqrt(in_channels * kernel_size**2)
        self.demodulate = demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [B, I, H, W] and w [B, style_features] -> [B, O, H, W], or of twice or half the sides."""
        style, weight = self.style(w), self.weight * self.scale
        y: Tensor = self.convolve(x * style.to(x.dtype)[:, :, None, None], weight)
        if self.demodulate:
            y = y * self._demodulation(style, weight).to(y.dtype)[:, :, None, None]
        return y if self.bias is None else y + self.bias.to(y.dtype)[:, None, None]

    def _demodulation(self, style: Tensor, weight: Tensor) -> Tensor:
        """1 / sqrt(sum_i s_i^2 sum_k w_ijk^2 + 1e-8), [B, O], in fp32 or float64: 1e-8 is 0 in fp16."""
        # A product of matrices would be rounded to bf16 under autocast; this one is computed as it stands.
        squares = widen(style).square()[:, None] * weight.square().sum((2, 3))
        return (squares.sum(2) + 1e-8).rsqrt()
