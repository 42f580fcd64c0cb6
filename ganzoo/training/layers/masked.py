"""Rectifiers without a second derivative, for critics whose input gradient is differentiated.

A rectifier is piecewise linear: y = m x with m = 1 where x > 0 and m = slope elsewhere, and its second derivative is
zero. torch returns that zero as a dense tensor, and autograd then sends it back through every layer below: a third of
a gradient penalty's arithmetic is convolutions of zeros. Computed as ``m.detach() * x`` there is nothing to send.
"""

import torch
from torch import Tensor, nn

from ganzoo.training.layers.swapping import swap

aten = torch.ops.aten


class MaskedReLU(nn.ReLU):
    """ReLU as a detached mask times its input [any shape]: same values, same gradients of any order."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002, torch calls it so
        """max(0, x)."""
        return _assign(input, aten.threshold_backward(input, _signs(input, self.inplace), 0), self.inplace)


class MaskedLeakyReLU(nn.LeakyReLU):
    """LeakyReLU as a detached mask times its input [any shape]: same values, same gradients of any order."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002, torch calls it so
        """x where x > 0, else slope * x."""
        # torch multiplies bf16 by the slope in fp32, which a bf16 mask could not hold. Its kernel for the gradient,
        # m(signs) * gradient, is that very product: it is linear in the gradient, whose place x takes here.
        masked = aten.leaky_relu_backward(input, _signs(input, self.inplace), self.negative_slope, False)
        return _assign(input, masked, self.inplace)


MASKED: dict[type[nn.Module], type[nn.Module]] = {nn.ReLU: MaskedReLU, nn.LeakyReLU: MaskedLeakyReLU}


def mask_activations(network: nn.Module) -> int:
    """Replace every ``nn.ReLU`` and ``nn.LeakyReLU`` by a masked one; calls of functions stay as they are."""
    return swap(network, MASKED)


def _signs(x: Tensor, inplace: bool) -> Tensor:
    return x.detach().clone() if inplace else x.detach()


def _assign(x: Tensor, y: Tensor, inplace: bool) -> Tensor:
    """``y``, written into ``x`` if ``inplace``: some residual blocks read ``x`` afterwards, and must find ``y``."""
    return x.copy_(y) if inplace else y
