"""From a torch network to the ONNX file of a feature extractor; ``ganzoo.evaluation.features`` says what that is."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim

from ganzoo.data import ImageSet
from ganzoo.errors import GanzooError, first_line
from ganzoo.evaluation.extractor import try_extractor
from ganzoo.evaluation.features import FeatureExtractor
from ganzoo.exporting.folding import fold
from ganzoo.exporting.tracing import trace
from ganzoo.exporting.writing import finish
from ganzoo.files import write_atomic
from ganzoo.runtime.vetting import vet_extractor

__all__ = ["write_extractor"]

TOLERANCE = 1e-3
"""Largest error, relative to the largest value: ONNX Runtime sums in another order, and no figure needs more digits."""

ANY = (40, 56)
"""Height and width to trace with where the network takes any; it is checked with them the other way round."""


def write_extractor(
    network: nn.Module,
    path: str | os.PathLike[str],
    size: tuple[int, int | None, int | None],
    *,
    about: Mapping[str, str] | None = None,
) -> str:
    """Convert ``network`` (on the CPU, in fp32), hold the file against it, and only then write it.

    Args:
        network: uint8 images [N, C, H, W] -> features [N, D], or a tuple of features and logits [N, K].
        path: where to write the ONNX file.
        size: channels, height and width of the images; None: any.
        about: goes into the file's metadata.

    Returns:
        The file's sha256.

    Raises:
        GanzooError: torch cannot convert it, ONNX Runtime computes something else, or no figures can be made with it;
            ``path`` is then as it was.
    """
    channels, height, width = size
    network = network.eval().requires_grad_(False)
    named = {0: "batch", 2: "" if height else "height", 3: "" if width else "width"}
    dynamic = {axis: Dim(name, min=2 if name == "batch" else min(ANY)) for axis, name in named.items() if name}
    images = _noise(2, channels, height or ANY[0], width or ANY[1])
    proto = trace(network, "network", (images,), {"images": dynamic}, _outputs(network, images))
    fold(proto)
    data = finish(proto, about or {})
    vet_extractor(data, f"extractor {Path(path).name}", height or ANY[0])
    extractor = FeatureExtractor(data, Path(path).name, device="cpu")
    for count in (1, 3):
        _compare(network, extractor, _noise(count, channels, height or ANY[1], width or ANY[0]))
    try_extractor(extractor, ImageSet(pixels=images.numpy()))
    write_atomic(path, data)
    return extractor.sha256


def _outputs(network: nn.Module, images: Tensor) -> list[str]:
    try:
        made = network(images)
    except Exception as error:  # anybody's forward may raise anything
        shape = " x ".join(map(str, images.shape[1:]))
        raise GanzooError(
            f"the network fails on images of {shape}: {first_line(error)[:200]}",
            hint="give write_extractor the size of images that it takes: (channels, height, width)",
        ) from error
    return ["features", "logits"] if isinstance(made, tuple) else ["features"]


def _noise(count: int, *size: int) -> Tensor:
    return torch.randint(256, (count, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(count))


def _compare(network: nn.Module, extractor: FeatureExtractor, images: Tensor) -> None:
    wanted = network(images)
    for ours, theirs in zip(
        extractor(images.numpy()), wanted if isinstance(wanted, tuple) else (wanted,), strict=False
    ):
        if ours is None or ours.shape != theirs.shape:
            shape = None if ours is None else list(ours.shape)
            raise GanzooError(f"the converted network makes {shape} instead of {list(theirs.shape)}")
        gap = float(np.abs(ours - theirs.numpy()).max() / max(theirs.abs().max().item(), 1e-30))
        if not gap <= TOLERANCE:
            raise GanzooError(
                f"the converted network is off by {gap:.1g} of the largest value, over {TOLERANCE:g}",
                hint="its forward must be a pure function of the images, in eval mode",
            )
