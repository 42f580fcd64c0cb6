"""The images that a file is compared with, as torch makes them; a generator that no file can equal is refused here."""

import copy
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from ganzoo.errors import blamed
from ganzoo.exporting.convert import Ported
from ganzoo.exporting.gates import TOLERANCE
from ganzoo.exporting.inputs import CORNERS, ROWS, inputs
from ganzoo.exporting.reasons import UnexportableError
from ganzoo.runtime.card import GeneratorCard

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_ERROR_RATIO = 3.0
"""Largest ratio of a file's distance from torch to torch's own distance from the exact images."""

ROUNDING = 1e-3
"""Largest difference, relative to the largest pixel, between images in two batches that is taken for rounding."""

DEFAULT_TOLERANCE = 1e-5
"""Largest difference, relative to the largest pixel, between controls at their defaults and no controls."""


@torch.no_grad()
def reference(generator: nn.Module, card: GeneratorCard, rows: int = ROWS) -> "dict[str, NDArray[np.generic]]":
    """Inputs as the graph takes them, and torch's ``images`` [N, C, H, W] for them.

    Args:
        rows: how many there are at least.

    Raises:
        UnexportableError: the generator fails on them, makes NaN, draws random numbers, lets the images of a batch
            meet, or makes something else at its controls' defaults than without controls.
    """
    arrays = inputs(card, rows)
    tensors = [torch.from_numpy(array) for array in arrays.values()]
    ported = Ported(generator.eval(), card)
    images = _run(ported, tensors)
    if not torch.equal(images.nan_to_num(), _run(ported, tensors).nan_to_num()):
        raise UnexportableError(
            "the generator makes other images each time in eval mode",
            hint="let it draw noise, drop out and count behind `if self.training:` alone (torch.nn.Dropout does)",
        )
    _require_finite(images, arrays, card)
    scale = max(1.0, images.abs().max().item())
    _require_independence(ported, tensors, images, scale)
    if card.controls:
        _require_defaults(generator, arrays, images, card, scale)
    return {**arrays, "images": images.contiguous().numpy()}


@torch.no_grad()
def tolerance(generator: nn.Module, card: GeneratorCard, arrays: "Mapping[str, NDArray[np.generic]]") -> float:
    """Largest difference from torch in any pixel that rounding explains, at least ``gates.TOLERANCE``.

    A file may be twice as far from the exact images as torch itself is, in float32: the two are then three times as far
    from each other. Where many layers lie behind each other, at corner latents above all, that is more than 1e-5.

    Args:
        arrays: what ``reference`` gave.
    """
    exact = Ported(copy.deepcopy(generator).double().eval(), card)
    inputs = [torch.from_numpy(array) for name, array in arrays.items() if name != "images"]
    try:
        images: Tensor = exact(*(each.double() if each.is_floating_point() else each for each in inputs))
    except Exception:  # a forward that insists on float32
        return TOLERANCE
    own = (images - torch.from_numpy(arrays["images"])).abs().max().item()
    return max(TOLERANCE, MAX_ERROR_RATIO * own) if math.isfinite(own) else TOLERANCE


def _run(ported: nn.Module, inputs: list[Tensor]) -> Tensor:
    try:
        images: Tensor = ported(*inputs)
    except Exception as error:  # a plugin's forward may raise anything
        raise UnexportableError(
            f"the generator fails on a batch of {len(inputs[0])}: {blamed(error)}",
            hint="its forward must take any batch, and its controls; GANZOO_DEBUG=1 shows all of the error",
        ) from error
    return images


def _require_finite(images: Tensor, arrays: "dict[str, NDArray[np.generic]]", card: GeneratorCard) -> None:
    """Refuse NaN and infinity, and say of which latent, label and control they come."""
    finite = images.isfinite().flatten(1).all(1)
    if finite.all():
        return
    row = int((~finite).int().argmax())
    what = "NaN" if images[row].isnan().any() else "infinity"
    z = arrays["z"][row]
    latent = f"a latent of all {z[0]:g}" if (z == z[0]).all() else f"latent {row} of seed 0"
    at = [f"{name} = {arrays[name][row, 0]:g}" for name in card.controls]
    if card.class_names:
        at.insert(0, f"label {arrays['labels'][row]}")
    raise UnexportableError(
        f"the generator makes {what} of {latent}" + (f" at {', '.join(at)}" if at else ""),
        hint="add an epsilon, 1e-8 say, to what it divides by and below each root"
        if what == "NaN"
        else "keep what grows within float32: divide by no 0, and clamp before exp",
    )


def _require_independence(ported: nn.Module, inputs: list[Tensor], images: Tensor, scale: float) -> None:
    """Refuse an image that depends on its batch; two rows, because a norm over a batch of one raises instead."""
    few = slice(len(CORNERS), len(CORNERS) + 2)
    gap = (_run(ported, [each[few] for each in inputs]) - images[few]).abs().max().item()
    if gap > ROUNDING * scale:
        norms = [
            name.removeprefix("generator.")
            for name, layer in ported.named_modules()
            if isinstance(layer, _NormBase) and layer.running_mean is None and not _is_of_one_image(layer)
        ]
        where = f": {norms[0]} has no running statistics" if norms else ""
        raise UnexportableError(
            f"an image of the generator depends on the others of its batch in eval mode, by up to {gap:.2g}{where}",
            hint="take means over one image, never over the batch; a BatchNorm needs its running statistics",
        )


def _is_of_one_image(layer: nn.Module) -> bool:
    return isinstance(layer, nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d)


def _require_defaults(
    generator: nn.Module, arrays: "dict[str, NDArray[np.generic]]", images: Tensor, card: GeneratorCard, scale: float
) -> None:
    """Refuse a generator that trains with something else than its controls' defaults."""
    labels = torch.from_numpy(arrays["labels"]) if card.class_names else None
    gaps = (generator(torch.from_numpy(arrays["z"]), labels) - images).abs().flatten(1).amax(1)
    gap = gaps[:: 1 + 2 * len(card.controls)].max().item()  # rows at the defaults
    if gap > DEFAULT_TOLERANCE * scale:
        raise UnexportableError(
            f"the generator makes other images at its controls' defaults than without controls, by up to {gap:.2g}",
            hint="training, previews and evaluations run without controls: None must mean the default",
        )
