"""Trying something on a run's networks, and leaving them as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganzoo.training.layers.batchnorm import GlobalBatchNorm
from ganzoo.training.objective import Objective
from ganzoo.training.ranks import ALONE


def buffers(objective: Objective) -> list[tuple[nn.Module, str, Tensor]]:
    """All buffers of both networks: the module, the name in it, and the tensor that is there now."""
    return [
        (module, name, buffer)
        for network in (objective.generator, objective.discriminator)
        for module in network.modules()
        for name, buffer in module.named_buffers(recurse=False)
    ]


@contextmanager
def unmoved(objective: Objective) -> Iterator[None]:
    """Put back weights and buffers, saved in checkpoints or not, and leave no gradients."""
    networks = (objective.generator, objective.discriminator)
    weights = [(weight, weight.detach().clone()) for network in networks for weight in network.parameters()]
    kept = [(module, name, buffer, buffer.clone()) for module, name, buffer in buffers(objective)]
    for network in networks:
        network.zero_grad(set_to_none=True)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in weights:
                weight.copy_(value)
            for module, name, buffer, value in kept:
                setattr(module, name, buffer.copy_(value))  # a network may have put another tensor there
        for network in networks:
            network.zero_grad(set_to_none=True)


@contextmanager
def apart(*networks: nn.Module) -> Iterator[None]:
    """Let BatchNorms take their statistics from this rank alone meanwhile, so that it waits for no rank that fails."""
    layers = [layer for network in networks for layer in network.modules() if isinstance(layer, GlobalBatchNorm)]
    ranks = [layer.ranks for layer in layers]
    for layer in layers:
        layer.ranks = ALONE
    try:
        yield
    finally:
        for layer, own in zip(layers, ranks, strict=True):
            layer.ranks = own
