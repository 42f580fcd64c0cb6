"""The mean over the samples of all ranks, as ``step.mean`` gives it to losses in which samples meet."""

from typing import Any

import torch
from torch import Tensor

from ganzoo.training.ranks import Ranks


def global_mean(x: Tensor, ranks: Ranks) -> Tensor:
    """The mean of x [B, …] over its first dimension and all ranks: [...], differentiable any number of times.

    Each rank's loss L_r is the mean over its slice, and the engine averages gradients over R ranks. So what flows back
    to one rank's own mean must be the gradient of R L = sum_r L_r: with g_r = dL_r / dmean that is 1/R sum_r g_r, which
    is the mean over the ranks again.
    """
    own = x.mean(0)
    return own if ranks.count == 1 else _OverRanks.apply(own, ranks)  # type: ignore[no-untyped-call]


class _OverRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        total = x.detach().contiguous().clone()
        ranks.sum_(total)
        return total / ranks.count

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _OverRanks.apply(gradient, ctx.ranks), None  # type: ignore[no-untyped-call]
