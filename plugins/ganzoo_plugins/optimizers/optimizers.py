"""torch's optimizers, made from weights, a learning rate and options. A rate on the device means a CUDA graph."""

import torch
from torch import Tensor
from torch.nn import Parameter

from ganzoo_plugins.optimizers import AdamOptions, RMSpropOptions, SGDOptions

Weights = list[Parameter]


def adam(weights: Weights, lr: float | Tensor, options: AdamOptions) -> torch.optim.Optimizer:
    """Adam, all weights in one kernel."""
    held = isinstance(lr, Tensor)
    betas, eps, decay = options.betas, options.eps, options.weight_decay
    return torch.optim.Adam(weights, lr, betas, eps, decay, fused=True, capturable=held)


def adamw(weights: Weights, lr: float | Tensor, options: AdamOptions) -> torch.optim.Optimizer:
    """AdamW, all weights in one kernel."""
    held = isinstance(lr, Tensor)
    betas, eps, decay = options.betas, options.eps, options.weight_decay
    return torch.optim.AdamW(weights, lr, betas, eps, decay, fused=True, capturable=held)


def rmsprop(weights: Weights, lr: float | Tensor, options: RMSpropOptions) -> torch.optim.Optimizer:
    """RMSprop."""
    return torch.optim.RMSprop(
        weights,
        lr,
        options.alpha,
        options.eps,
        options.weight_decay,
        options.momentum,
        capturable=isinstance(lr, Tensor),
    )


def sgd(weights: Weights, lr: float | Tensor, options: SGDOptions) -> torch.optim.Optimizer:
    """Stochastic gradient descent, outside of CUDA graphs: torch's keeps no state that one could hold."""
    return torch.optim.SGD(
        weights, float(lr), options.momentum, 0.0, options.weight_decay, options.nesterov, fused=True
    )
