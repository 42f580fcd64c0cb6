"""Directions of latents in which images change most, in closed form: SeFa (Shen & Zhou, 2021, arXiv:2007.06600)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganzoo.errors import UsageError
from ganzoo.images import grid, named_rows, to_uint8
from ganzoo.networks.build import latent_dim

POINTS = 8
"""Latents at which the first layer is looked at: one is enough where nothing but weights stands before it."""

COLUMNS = 7
"""Images along a direction."""

STEP = 1e-3
"""Half the distance of the two latents whose difference is taken, in float64."""


class Directions(NamedTuple):
    """Unit vectors [K, L], and the share of the first layer's squared change that each stands for, largest first."""

    vectors: NDArray[np.float32]
    shares: list[float]


class _Found(Exception):  # noqa: N818 - it ends a forward pass, and is no error
    """The first layer that z meets has answered."""

    def __init__(self, answer: Tensor) -> None:
        self.answer = answer


def find_directions(
    generator: nn.Module, count: int, labels: Sequence[int], controls: Mapping[str, float]
) -> Directions:
    """The eigenvectors of A^T A with the largest eigenvalues, where A is the first layer's weight that z meets.

    A is measured, as the change of that layer's output with z, so that it does not matter what else the layer is given
    (a label's embedding) and whether it is given a part of z only. Behind a norm of z, A depends on z, and the mean of
    A^T A over several z is taken.

    Args:
        generator: in eval mode and fp32, which it is again afterwards.
        count: K, 1 to L.
        labels: one class, or none for a generator without classes.
        controls: the value of each control.

    Raises:
        UsageError: no layer with a weight meets z.
    """
    size = latent_dim(generator)
    stream = torch.Generator().manual_seed(0)
    total = torch.zeros(size, size, dtype=torch.float64)
    generator.double()
    try:
        for _ in range(POINTS):
            total += _gram(generator, torch.randn(size, generator=stream, dtype=torch.float64), labels, controls)
    finally:
        generator.float()
    values, vectors = torch.linalg.eigh(total / POINTS)  # in ascending order
    first = vectors.T.flip(0)[:count]
    # An eigenvector has two signs: the one whose largest entry is positive.
    largest = first.gather(1, first.abs().argmax(1, keepdim=True))
    shares = (values / values.sum()).flip(0)[:count].tolist()
    return Directions((first * largest.sign()).float().numpy(), shares)


def _gram(generator: nn.Module, z: Tensor, labels: Sequence[int], controls: Mapping[str, float]) -> Tensor:
    """A^T A [L, L] at one z."""
    steps = STEP * torch.eye(len(z), dtype=z.dtype)
    answers = _first_layer(generator, torch.cat([z + steps, z - steps]), labels, controls)
    ahead, behind = torch.split(answers.flatten(1), len(z))
    slopes: Tensor = (ahead - behind) / (2 * STEP)  # A^T: a row for each entry of z
    return torch.mm(slopes, slopes.T)


@torch.no_grad()
def _first_layer(generator: nn.Module, z: Tensor, labels: Sequence[int], controls: Mapping[str, float]) -> Tensor:
    """What the first layer that has a matrix of weights, and whose answer depends on z, answers to a batch of them."""

    def look(module: nn.Module, inputs: Any, answer: Any) -> None:
        if (
            isinstance(answer, Tensor)
            and len(answer) == len(z)
            and not torch.equal(answer[:1].expand_as(answer), answer)
        ):
            raise _Found(answer)

    def has_matrix(module: nn.Module) -> bool:
        weight = getattr(module, "weight", None)
        return isinstance(weight, Tensor) and weight.ndim > 1

    hooks = [each.register_forward_hook(look) for each in generator.modules() if has_matrix(each)]
    try:
        images_of(generator, labels, controls)(z)
    except _Found as found:
        return found.answer
    finally:
        for hook in hooks:
            hook.remove()
    raise UsageError(
        "no layer of this generator has a matrix of weights that meets z",
        hint="directions need one: a linear layer, say",
    )


def images_of(generator: nn.Module, labels: Sequence[int], controls: Mapping[str, float]) -> Callable[[Tensor], Tensor]:
    """z [N, L] -> images [N, C, H, W].

    Args:
        labels: a class for all, or one each; none for a generator without classes.
        controls: the value of each control.
    """

    def images(z: Tensor) -> Tensor:
        classes = torch.tensor(labels).expand(len(z)) if labels else None
        given = {name: torch.full((len(z), 1), value, dtype=z.dtype) for name, value in controls.items()}
        made: Tensor = generator(z, classes, **given)
        return made

    return images


@torch.no_grad()
def contact_sheet(
    generator: nn.Module,
    found: Directions,
    z: NDArray[np.float32],
    labels: Sequence[int],
    controls: Mapping[str, float],
    reach: float,
) -> NDArray[np.uint8]:
    """A row for each direction: the images of ``z`` [1, L] moved along it by -``reach`` … ``reach``, ``z`` itself amid.

    Returns:
        [C, height, width] in uint8, with each direction's number and share at the left of its row.
    """
    way = np.linspace(-reach, reach, COLUMNS, dtype=np.float32)[:, None]
    images = images_of(generator, labels, controls)
    rows = [to_uint8(images(torch.from_numpy(z + way * vector)).numpy()) for vector in found.vectors]
    names = [f"{number} ({share:.0%})" for number, share in enumerate(found.shares)]
    return named_rows(grid(np.concatenate(rows), COLUMNS), names)
