"""Convolutions as matrix products, where a CPU is faster at those.

A convolution that sees its whole input at once, and a transposed one of a single pixel, are matrix products and nothing
else. And where maps have few pixels, oneDNN computes the gradient of bf16 weights at half the rate of a matrix product:
there are many weights, and little to add up for each.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganzoo.training.layers.swapping import swap

aten = torch.ops.aten

MAX_PIXELS = 16
"""Most pixels of the output map (of the input map, if transposed): from 8x8 on writing the columns costs more than the
product gains."""

MIN_WEIGHTS = 100_000
"""Fewest weights of a product: fewer gain little, or less than the Python around them costs."""

Sides = tuple[int, ...]


class Convolution(nn.Conv2d):
    """``nn.Conv2d`` by products: the same values but for rounding, and gradients of any order."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002
        y: Tensor
        if _plain(self, input):
            if self.padding == (0, 0) and input.shape[2:] == weight.shape[2:]:
                y = F.linear(_by_pixel(input), _by_pixel(weight), bias)[:, :, None, None]
                return y
            if input.shape[2] * input.shape[3] <= MAX_PIXELS * math.prod(self.stride) and _worthwhile(weight):
                return _product(self, input)
        y = super()._conv_forward(input, weight, bias)
        return y


class TransposedConvolution(nn.ConvTranspose2d):
    """``nn.ConvTranspose2d`` by products: the same values but for rounding, and gradients of any order."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: A002
        """[B, C, H, W] -> [B, C', H', W']."""
        if not _plain(self, input) or self.output_padding != (0, 0) or output_size is not None:
            return super().forward(input, output_size)
        if self.padding == (0, 0) and input.shape[2:] == (1, 1):
            pixels = F.linear(input.flatten(1), self.weight.permute(2, 3, 1, 0).flatten(0, 2))
            y = pixels.view(len(input), *self.kernel_size, -1).permute(0, 3, 1, 2)
            return y if self.bias is None else y + self.bias[:, None, None].to(y.dtype)
        if input.shape[2] * input.shape[3] > MAX_PIXELS or not _worthwhile(self.weight):
            return super().forward(input)
        return _product(self, input)


FASTER: dict[type[nn.Module], type[nn.Module]] = {nn.Conv2d: Convolution, nn.ConvTranspose2d: TransposedConvolution}


def use_products(network: nn.Module) -> int:
    """Replace every ``nn.Conv2d`` and ``nn.ConvTranspose2d`` by the classes above; see ``swap``."""
    return swap(network, FASTER)


class Product(torch.autograd.Function):
    """A convolution of x [B, C, H, W] whose weights' gradient is a product: smaller map times larger one's columns.

    Args:
        weight: [C', C, kh, kw]; transposed: [C, C', kh, kw].
        stride, padding: (vertical, horizontal).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: Sides, padding: Sides, transposed: bool) -> Tensor:
        """[B, C', H', W']."""
        ctx.save_for_backward(x, weight)
        ctx.geometry = (stride, padding, (1, 1), transposed, (0, 0), 1)
        y: Tensor = aten.convolution(x, weight, None, *ctx.geometry)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """The gradients of x and of the weights; both can be differentiated again."""
        (x, weight), (gradient,) = ctx.saved_tensors, gradients
        stride, padding, _, transposed, *_ = ctx.geometry
        for_x = for_weight = None
        if ctx.needs_input_grad[0]:
            wanted = [True, False, False]
            for_x = aten.convolution_backward(gradient, x, weight, None, *ctx.geometry, wanted)[0]
        if ctx.needs_input_grad[1]:
            small, large = (x, gradient) if transposed else (gradient, x)
            columns = _columns(large, (weight.shape[2], weight.shape[3]), stride, padding)
            seen = columns[:, : small.shape[2], : small.shape[3]].flatten(0, 2).flatten(1)
            product = small.permute(1, 0, 2, 3).flatten(1) @ seen
            for_weight = product.view(len(product), *weight.shape[2:], -1).permute(0, 3, 1, 2)
        return for_x, for_weight, None, None, None


def _product(of: nn.Conv2d | nn.ConvTranspose2d, x: Tensor) -> Tensor:
    """The convolution in bf16, as under autocast, which does not reach into an autograd function."""
    with torch.autocast("cpu", enabled=False):
        geometry = of.stride, of.padding, of.transposed
        y: Tensor = Product.apply(x.bfloat16(), of.weight.bfloat16(), *geometry)  # type: ignore[no-untyped-call]
        return y if of.bias is None else y + of.bias.bfloat16()[:, None, None]


def _columns(x: Tensor, kernel: Sides, stride: Sides, padding: Sides) -> Tensor:
    """The pixels that a kernel covers at each place: [B, C, H, W] -> [B, h, w, kh, kw, C]."""
    padded = F.pad(x, (padding[1], padding[1], padding[0], padding[0])).permute(0, 2, 3, 1)
    return padded.unfold(1, kernel[0], stride[0]).unfold(2, kernel[1], stride[1]).permute(0, 1, 2, 4, 5, 3)


def _plain(of: nn.Conv2d | nn.ConvTranspose2d, x: Tensor) -> bool:
    numbers = not isinstance(of.padding, str) and of.padding_mode == "zeros"
    return numbers and of.groups == 1 and of.dilation == (1, 1) and x.dim() == 4


def _worthwhile(weight: Tensor) -> bool:
    bf16 = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    return bf16 and weight.requires_grad and weight.numel() >= MIN_WEIGHTS


def _by_pixel(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, H W C], without a copy if x is channels_last."""
    return x.permute(0, 2, 3, 1).flatten(1)
