"""Maps of twice and of half the size, without aliasing: by the low-pass filter [1, 3, 3, 1] of StyleGAN2."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganzoo.errors import UsageError

Resample = Literal["up", "down"]
"""What a convolution does besides: double the sides of a map, or halve them."""

KERNEL_SIZES = (1, 3, 5)
"""Sides that a kernel may have: odd, so that it has a middle, and small enough that the filter crops nothing."""


class LowPass(nn.Module):
    """A filter over each channel: the outer product of [1, 3, 3, 1] / 8 with itself (Karras et al., 2020, appendix B).

    The taps are a buffer, and not made in ``forward``: a CUDA graph copies nothing from the host.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("taps", torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8)
        self.taps: Tensor

    def forward(self, x: Tensor, padding: int, stride: int = 1, gain: float = 1.0) -> Tensor:
        """x [B, C, H, W] -> ``gain`` times the filtered map, of sides (H + 2 padding - 4) / stride + 1."""
        return F.conv2d(x, self._kernel(x.shape[1], gain), padding=padding, stride=stride, groups=x.shape[1])

    def upsample(self, x: Tensor) -> Tensor:
        """Put zeros between the pixels of x [B, C, H, W], and filter: [B, C, 2 H, 2 W]."""
        # A quarter of the pixels are left: times 4, so that the mean stays.
        return F.conv_transpose2d(x, self._kernel(x.shape[1], 4.0), stride=2, padding=1, groups=x.shape[1])

    def _kernel(self, channels: int, gain: float) -> Tensor:
        return (gain * self.taps[:, None] * self.taps).expand(channels, 1, -1, -1)


class FilteredUpsample(nn.Module):
    """A map of twice the size: zeros between the pixels, then the low-pass filter; for StyleGAN2's sum of images."""

    def __init__(self) -> None:
        super().__init__()
        self.low_pass = LowPass()

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] -> [B, C, 2 H, 2 W]."""
        return self.low_pass.upsample(x)


class FilteredDownsample(nn.Module):
    """A map of half the size: the low-pass filter, then every second pixel; for the shortcuts of residual blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.low_pass = LowPass()

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, H, W] of even H and W -> [B, C, H / 2, W / 2]."""
        filtered: Tensor = self.low_pass(x, padding=1, stride=2)
        return filtered


class ResampledConvolution(nn.Module):
    """A convolution with weights that are given, of the same size, or of twice or half of it.

    Twice: a transposed convolution of stride 2, then the filter. Half: the filter, then a convolution of stride 2.

    Args:
        kernel_size: side of the kernel: 1, 3 or 5.
        resample: "up", "down" or None.

    Raises:
        UsageError: another side, or another word.
    """

    def __init__(self, kernel_size: int, resample: Resample | None) -> None:
        super().__init__()
        if kernel_size not in KERNEL_SIZES:
            raise UsageError(
                f"kernel_size={kernel_size} has no middle, or is too large for the low-pass filter",
                hint=f"kernel_size: one of {', '.join(map(str, KERNEL_SIZES))}",
            )
        if resample is not None and resample not in get_args(Resample):
            raise UsageError(f"resample={resample!r} is neither up nor down", hint="resample: 'up', 'down' or None")
        self.kernel_size, self.resample = kernel_size, resample
        self.low_pass = LowPass() if resample else None

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """x [B, I, H, W] and weight [O, I, k, k] -> [B, O, H', W']."""
        if self.low_pass is None:
            return F.conv2d(x, weight, padding=self.kernel_size // 2)
        filtered: Tensor
        if self.resample == "up":
            doubled = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # of sides 2 H - 2 + k
            filtered = self.low_pass(doubled, padding=(5 - self.kernel_size) // 2, gain=4.0)
            return filtered
        filtered = self.low_pass(x, padding=(self.kernel_size + 1) // 2)  # of sides H - 2 + k
        return F.conv2d(filtered, weight, stride=2)
