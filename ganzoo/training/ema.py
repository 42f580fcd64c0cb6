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
        self._averaged, self._copied = _pairs(self.generator, generator)

    @torch.no_grad()
    def update(self, images_shown: int, batch: int) -> None:
        """Follow the generator after a step of ``batch`` images, ``images_shown`` in all."""
        half_life = max(min(self._half_life, images_shown * self.RAMP), 1e-8)
        weight = 1 - 0.5 ** (batch / half_life)
        targets, sources = self._averaged
        torch._foreach_lerp_(targets, sources, weight)
        for target, source in zip(*self._copied, strict=True):
            target.copy_(source)


Pair = tuple[list[torch.Tensor], list[torch.Tensor]]


def _pairs(average: nn.Module, live: nn.Module) -> tuple[Pair, Pair]:
    """(average, live) tensors that are floating point, and those that are not (counters)."""
    averaged: Pair = ([], [])
    copied: Pair = ([], [])
    for target, source in zip(average.state_dict().values(), live.state_dict().values(), strict=True):
        pair = averaged if source.is_floating_point() else copied
        pair[0].append(target)
        pair[1].append(source)
    return averaged, copied
