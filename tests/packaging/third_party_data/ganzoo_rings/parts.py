"""What needs NumPy and torch."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganzoo import ImageShape
from ganzoo.evaluation import Evidence
from ganzoo_rings import Options


def ink(evidence: Evidence) -> dict[str, float]:
    """The share of samples that are a ring."""
    assigned = evidence.fake.assigned
    return {} if assigned is None else {"ink": float((assigned >= 0).mean())}


class Dim:
    """Images times a factor."""

    def __init__(self, options: Options) -> None:
        self._depth = options.depth

    def draw(
        self, count: int, shape: ImageShape, generator: torch.Generator, device: torch.device
    ) -> Mapping[str, Tensor]:
        chance = torch.rand(count, 1, 1, 1, generator=generator, device=device)
        return {"factor": self._depth + (1 - self._depth) * chance}

    def apply(self, images: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        return images * drawn["factor"]
