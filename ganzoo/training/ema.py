"""The exponential moving average of the generator's weights, which is what is sampled and exported."""

import copy

import torch
from torch import nn


class EMA:
    """A generator whose weights follow another's with a half-life counted in images.

    The half-life ramps up: min(``kimg`` * 1000, 5 % of the images shown so far), as in StyleGAN2-ADA (Karras et al.,
    2020), so that the first, poor weights are forgotten soon. Buffers (BatchNorm's statistics) are averaged likewise.
    """

    RAMP = 0.05

    def __init__(self, generator: nn.Module, kimg: float) -> None:
        self.generator = copy.deepcopy(generator).eval().requires_grad_(False)
        self._half_life = kimg * 1000
        self._live = generator

    @torch.no_grad()
    def update(self, images_shown: int, batch: int) -> None:
        """Follow the generator after a step of ``batch`` images, ``images_shown`` in all."""
        half_life = max(min(self._half_life, images_shown * self.RAMP), 1e-8)
        weight = 1 - 0.5 ** (batch / half_life)
        live = _tensors(self._live)  # looked up anew: a network may put another tensor in a buffer's place
        averaged, sources = [], []
        for name, target in _tensors(self.generator).items():
            if target.is_floating_point():
                averaged.append(target)
                sources.append(live[name])
            else:  # a counter
                target.copy_(live[name])
        torch._foreach_lerp_(averaged, sources, weight)


def _tensors(network: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name, each tensor once, tied or not."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}
