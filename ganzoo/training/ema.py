"""The exponential moving average of the generator's weights, which is what is sampled and exported."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

STATISTICS = ("running_mean", "running_var")
"""Buffers of BatchNorm and its kind that are averages over batches themselves."""


class EMA:
    """A generator whose weights follow another's with a half-life counted in images.

    The half-life ramps up: min(what is asked for, 5 % of the images shown so far), as in StyleGAN2-ADA (Karras et al.,
    2020), so that the first, poor weights are forgotten soon. One that is a schedule says itself how it rises.

    BatchNorm's running statistics are averaged likewise. Every other buffer is copied: the mean of spectral norm's unit
    vectors, say, is no unit vector, and would make the norm come out too small and the weights too large.
    """

    RAMP = 0.05

    def __init__(self, generator: nn.Module) -> None:
        self.generator = copy.deepcopy(generator).eval().requires_grad_(False)
        # Each parameter once, tied or not. Buffers are found by name: a network may put another tensor in their place.
        self._averaged: list[Tensor] = list(self.generator.parameters())
        self._followed: list[Tensor] = list(generator.parameters())
        places = [name.rpartition(".") for name, _ in generator.named_buffers(remove_duplicate=False)]
        self._buffers = [
            (self.generator.get_submodule(module), generator.get_submodule(module), name) for module, _, name in places
        ]

    @torch.no_grad()
    def update(self, half_life: float, images_shown: float, batch: int) -> None:
        """Follow the generator, by a half-life in images, after a step of ``batch`` images, ``images_shown`` in all.

        With ``images_shown`` infinite there is no ramp.
        """
        half_life = max(min(half_life, images_shown * self.RAMP), 1e-8)
        weight = 1 - 0.5 ** (batch / half_life)
        averaged, followed = self._averaged.copy(), self._followed.copy()
        for mine, theirs, name in self._buffers:
            target, source = getattr(mine, name), getattr(theirs, name)
            if isinstance(theirs, _NormBase) and name in STATISTICS:
                averaged.append(target)
                followed.append(source)
            else:
                target.copy_(source)
        torch._foreach_lerp_(averaged, followed, weight)
