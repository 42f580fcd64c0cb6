"""What stands beside samples to be compared with: real images in the same form, and the nearest training images."""

import numpy as np
from numpy.typing import NDArray

from ganzoo.data import ImageSet
from ganzoo.data.statistics import spread
from ganzoo.evaluation.nearest import nearest
from ganzoo.images import class_rows, encode_png, grid
from ganzoo.training.evaluating import sampler
from ganzoo.training.loop import PREVIEW_CLASSES, PREVIEW_IMAGES, PREVIEW_OF_EACH
from ganzoo.training.trainer import Trainer

SEARCHED, CHUNK = 256, 64
"""How many samples are held against the training images, and how many are made at once."""

SHOWN = 8
"""How many of them, the nearest, are shown."""


def real_images(images: ImageSet, *, classes: bool) -> bytes:
    """A PNG grid of as many training images as a preview has samples, evenly from all over the set.

    Args:
        classes: each of the first classes has a row, as in a preview.
    """
    if not classes or images.labels is None:
        return encode_png(grid(spread(images, PREVIEW_IMAGES)))
    names = images.class_names[:PREVIEW_CLASSES]
    rows = [_of_class(images.pixels, np.flatnonzero(images.labels == label)) for label in range(len(names))]
    return encode_png(class_rows(np.concatenate(rows), names))


def _of_class(pixels: NDArray[np.uint8], rows: NDArray[np.intp]) -> NDArray[np.uint8]:
    """As many images as a row of a preview has; of few some come again, and no image is white."""
    if not len(rows):
        return np.full((PREVIEW_OF_EACH, *pixels.shape[1:]), 255, np.uint8)
    taken: NDArray[np.uint8] = pixels[rows[np.linspace(0, len(rows) - 1, PREVIEW_OF_EACH).astype(int)]]
    return taken


def nearest_pairs(trainer: Trainer, images: ImageSet) -> bytes:
    """A PNG of the samples nearest to a training image, in a row above these: mirrored, where that is nearer."""
    draw = sampler(trainer, trainer.config.seed, pool=images.labels if trainer.classes else None)
    samples = np.concatenate([draw(start, CHUNK)[0] for start in range(0, SEARCHED, CHUNK)])
    found = nearest(samples, images.pixels, SHOWN)
    originals = images.pixels[found.training]
    originals[found.mirrored] = originals[found.mirrored][..., ::-1]
    return encode_png(class_rows(np.concatenate([samples[found.samples], originals]), ["samples", "training"]))
