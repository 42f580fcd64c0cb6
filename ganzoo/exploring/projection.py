"""The latent whose image is nearest to a given one, by gradient (Creswell & Bharath, 2016, arXiv:1611.05644)."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ganzoo.exploring.directions import images_of
from ganzoo.networks.build import latent_dim

STARTS = 8
"""Latents that the descent begins with, all at once; of a generator with classes, at least one for each."""

RATE = 0.05
"""Adam's learning rate, which falls to zero along a cosine."""

PRIOR = 0.01
"""Weight of (|z|^2 / L - 1)^2, which keeps z where N(0, I) has its mass: elsewhere the generator was not trained."""


class Projection(NamedTuple):
    """What is nearest to an image.

    Args:
        latent: z [1, L].
        label: the class; None: there are none.
        image: [C, H, W], nominally in [-1, 1].
        distance: root of the mean squared difference of pixels, in 255ths of their range.
    """

    latent: NDArray[np.float32]
    label: int | None
    image: NDArray[np.float32]
    distance: float


def project(
    generator: nn.Module,
    image: NDArray[np.float32],
    *,
    steps: int,
    labels: Sequence[int],
    controls: Mapping[str, float],
    seen: Callable[[int, int], None] = lambda done, total: None,
) -> Projection:
    """Descend from several latents, and take the one whose image comes nearest.

    Args:
        generator: in eval mode.
        image: [C, H, W] in [-1, 1].
        steps: of Adam.
        labels: classes to look among; none for a generator without classes.
        controls: the value of each control.
        seen: is called with how many steps are done, and how many there are.
    """
    count = max(STARTS, len(labels))
    classes = [labels[row % len(labels)] for row in range(count)] if labels else []
    target = torch.from_numpy(image)[None].expand(count, -1, -1, -1)
    z = torch.randn(count, latent_dim(generator), generator=torch.Generator().manual_seed(0)).requires_grad_()
    images = images_of(generator.requires_grad_(False), classes, controls)
    optimizer = torch.optim.Adam([z], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        prior = (z.square().mean(1) - 1).square()
        loss = (pyramid_distance(images(z), target) + PRIOR * prior).sum()
        (z.grad,) = torch.autograd.grad(loss, [z])
        optimizer.step()
        schedule.step()
        seen(step + 1, steps)
    with torch.no_grad():
        made = images(z).clamp(-1, 1)
        distances = (made - target).square().mean((1, 2, 3)).sqrt()
    best = int(distances.argmin())
    label = classes[best] if classes else None
    return Projection(z.detach()[best : best + 1].numpy(), label, made[best].numpy(), float(distances[best]) * 255 / 2)


def pyramid_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of images at their own, half, a quarter … of their size: [N] of two [N, C, H, W].

    Coarse sizes say where things are before fine ones say what they are: with pixels alone the descent stays where it
    began (compare the Laplacian pyramid of Bojanowski et al., 2018, arXiv:1707.05776).
    """
    total = (a - b).abs().mean((1, 2, 3))
    while a.shape[-1] % 2 == 0 and a.shape[-1] > 2:
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
        total = total + (a - b).abs().mean((1, 2, 3))
    return total
