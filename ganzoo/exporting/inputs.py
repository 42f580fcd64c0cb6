"""Inputs that exported files are compared on; needs no torch."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ganzoo.latents import draw
from ganzoo.runtime.card import GeneratorCard

if TYPE_CHECKING:
    from numpy.typing import NDArray

CORNERS = (0.0, 4.0, -4.0)
"""Values of all entries of corner latents: 0, and +-4 standard deviations, where activations saturate."""

ROWS = 64

TOGETHER = 32
"""Rows of one batch, where there are many."""


def inputs(card: GeneratorCard, rows: int = ROWS) -> "dict[str, NDArray[np.generic]]":
    """At least ``rows`` rows as the graph takes them.

    ``z`` begins with the corner latents, ``labels`` has every one, and controls take turns: all at their defaults, then
    each at one end of its range.
    """
    classes = len(card.class_names)
    settings = [_defaults(card)]
    settings += [
        {**settings[0], name: end} for name, control in card.controls.items() for end in (control.low, control.high)
    ]
    mixed = max(rows, (len(CORNERS) + 1) * len(settings))
    turns, places = np.divmod(np.arange(mixed), len(settings))
    more = max(0, classes - int(turns[-1]) - 1)  # rows for the labels that are left, at the defaults
    z, _ = draw(0, 0, mixed + more, card.latent_dim)
    for turn, value in enumerate(CORNERS):
        z[:mixed][turns == turn] = value
    arrays: dict[str, NDArray[np.generic]] = {"z": z}
    if classes:
        arrays["labels"] = np.concatenate([turns % classes, turns[-1] + 1 + np.arange(more)])
    places = np.concatenate([places, np.zeros(more, np.int64)])
    for name in card.controls:
        arrays[name] = np.array([[settings[place][name]] for place in places], np.float32)
    return arrays


def samples(
    card: GeneratorCard, seed: int, count: int, stretch: float = 1.0
) -> "Iterator[dict[str, NDArray[np.generic]]]":
    """The inputs of images 0 to ``count`` of a seed, controls at their defaults, in batches of ``TOGETHER``.

    Args:
        stretch: what latents are multiplied by.
    """
    for first in range(0, count, TOGETHER):
        z, labels = draw(seed, first, min(TOGETHER, count - first), card.latent_dim, len(card.class_names))
        arrays: dict[str, NDArray[np.generic]] = {"z": z * np.float32(stretch)}
        if labels is not None:
            arrays["labels"] = labels
        for name, value in _defaults(card).items():
            arrays[name] = np.full((len(z), 1), value, np.float32)
        yield arrays


def _defaults(card: GeneratorCard) -> Mapping[str, float]:
    return {name: control.default for name, control in card.controls.items()}
