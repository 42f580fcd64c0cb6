"""BatchNorm over the global batch: N ranks compute what one would compute from all their images.

torch's own ``SyncBatchNorm`` refuses CPU tensors, so it could not be tested without a GPU.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from ganzoo.errors import UsageError
from ganzoo.training.ranks import Ranks

REPLACED = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def synchronise(network: nn.Module, ranks: Ranks, *, coupled: bool = False) -> int:
    """Turn every BatchNorm of ``network`` into a ``GlobalBatchNorm``, in place; returns how many.

    Parameters, buffers and their names stay what they were, and so does what the network does in eval mode.

    Args:
        coupled: whether the architecture says itself that samples of a batch meet in it; then a plugin's own kinds of
            BatchNorm are left as they are.

    Raises:
        UsageError: there is a subclass of BatchNorm, whose statistics would silently be those of one rank.
    """
    if ranks.count == 1:
        return 0
    replaced = 0
    for name, module in network.named_modules():
        if type(module) in REPLACED:
            # The module stays the same object, so its hooks, training mode and all references to it remain.
            module.__class__ = GlobalBatchNorm
            module.ranks = ranks
            replaced += 1
        elif isinstance(module, _BatchNorm) and not isinstance(module, GlobalBatchNorm) and not coupled:
            raise UsageError(
                f"{type(module).__name__} ({name}) is a BatchNorm of its own kind, and takes its statistics from one "
                f"rank's images instead of all {ranks.count} ranks'",
                hint="train it on one device, or use torch.nn.BatchNorm1d, 2d or 3d as they are",
            )
    return replaced


class GlobalBatchNorm(_BatchNorm):
    """BatchNorm of any number of dimensions; in training mode its statistics are those of all ranks' batches.

    In eval mode a rank computes alone, as rank 0 does when it makes previews.
    """

    ranks: Ranks

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, …] -> the same shape."""
        if not self.training:
            return super().forward(x)
        normalised: Tensor
        normalised, mean, var, count = _Normalise.apply(x, self.weight, self.bias, self.eps, self.ranks)  # type: ignore[no-untyped-call]
        if self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            batches = self.num_batches_tracked.to(mean)
            momentum = 1 / batches if self.momentum is None else torch.full_like(batches, self.momentum)
            with torch.no_grad():
                unbiased_var = var * (count / (count - 1))
                for running, of_batch in ((self.running_mean, mean), (self.running_var, unbiased_var)):
                    if running is not None:
                        running.lerp_(of_batch, momentum)
        return normalised

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - torch's name
        """Check nothing: the layer that this one replaced accepted such input when the network was built."""


class _Normalise(torch.autograd.Function):
    """y = gamma (x - mu) / sqrt(var + eps) + beta with mu and var over the n samples of all ranks.

    The gradient: with R ranks, rank r's loss is L_r, the mean over its slice, and the global one is
    L = 1/R sum_r L_r. The engine averages parameters' gradients over the ranks, so what flows back on rank r must be
    the gradient of R L = sum_r L_r, in which every rank's samples meet through mu and var. With g = dL_r / dy on each
    rank and xhat = (x - mu) / sqrt(var + eps),

        d(R L)/dx = gamma / sqrt(var + eps) (g - 1/n sum g - xhat/n sum g xhat),      sums over all ranks' samples,

    which is equation 4 of Ioffe and Szegedy (2015) with the global batch for theirs. Below, each parameter's gradient
    on rank r is the part of d(R L)/dtheta that comes through that rank's samples: the parts add up to R dL/dtheta, and
    their average over the ranks is dL/dtheta. gamma's and beta's own, sum g xhat and sum g over this rank's samples
    alone, are parts in the same sense.

    All ranks run the same graph, so autograd reaches the layers, and their collectives, in the same order on each.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, ranks: Ranks
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mean, var, count = _statistics(x, ranks)
        ctx.save_for_backward(x, weight, mean, var, count)
        ctx.eps, ctx.ranks = eps, ranks
        ctx.mark_non_differentiable(mean, var, count)
        return F.batch_norm(x, mean, var, weight, bias, False, 0.0, eps), mean, var, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, var, count = ctx.saved_tensors
        scale = torch.ones_like(mean) if weight is None else weight
        # The three terms of dx may all but cancel, so in bf16 and fp16 nothing is rounded before they are added up.
        dtype, x, g = x.dtype, x.to(mean.dtype), g.to(mean.dtype)
        # The gradient with constant statistics: the first of the three terms, and this rank's sums.
        dx, sum_gx, sum_g = torch.ops.aten.native_batch_norm_backward(
            g, x, scale, mean, var, None, None, False, ctx.eps, [True, True, True]
        )
        if ctx.needs_input_grad[0]:
            sums = torch.stack([sum_gx, sum_g])
            ctx.ranks.sum_(sums)
            sums *= -scale / (count * (var + ctx.eps).sqrt())
            # The other two terms are affine in xhat, so another normalisation computes them.
            dx += F.batch_norm(x, mean, var, sums[0], sums[1], False, 0.0, ctx.eps)
        return dx.to(dtype), *(None if weight is None else part for part in (sum_gx, sum_g)), None, None


def _statistics(x: Tensor, ranks: Ranks) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and biased variance [C] of all ranks' x, and the number of samples [], in fp32 or float64.

    They come from each rank's mean, variance and count (Chan, Golub and LeVeque, 1983), because E[x^2] - E[x]^2 loses
    all digits where the mean is large. Every rank combines them in the same order, so that all have the same bits.
    """
    zeros = torch.zeros(x.shape[1], dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)
    # nn.BatchNorm computes by it, too; of the two running statistics that it would update, only the type counts.
    local_mean, local_var = torch.batch_norm_update_stats(x, zeros, zeros.clone(), 0.0)
    count = zeros.new_full([1], x.numel() // x.shape[1])
    gathered = ranks.gather(torch.cat([local_mean, local_var, count]))
    means, variances, counts = torch.split(gathered, [x.shape[1], x.shape[1], 1], 1)
    total = counts.sum()
    share = counts / total
    mean = (share * means).sum(0)
    var = (share * (variances + (means - mean).square())).sum(0)
    return mean, var, total
