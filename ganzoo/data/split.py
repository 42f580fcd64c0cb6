"""Training and held-out images: which is which depends on the images alone, never on their order or their names."""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ganzoo.data import resize
from ganzoo.data.allocation import require_for
from ganzoo.data.imageset import ImageSet, remaining_classes
from ganzoo.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Split:
    """A data set in its two parts.

    Args:
        training: what a model may see.
        held_out: what it is evaluated by; None where all images are trained on.
    """

    training: ImageSet
    held_out: ImageSet | None


def image_digest(pixels: NDArray[np.uint8]) -> bytes:
    """The identity of one image [C, H, W]; a label or a file's name does not count."""
    return hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=16).digest()


def held_out_rows(digests: Sequence[bytes], share: float, labels: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
    """Which images are held out: those with the smallest digests, floor(share * distinct images) of them.

    Copies of an image lie on one side, so that no image is both trained on and evaluated by. An image that is added to
    a set moves few of the others. The last image of a class is never held out, so there may be fewer than the share.
    """
    given = [0] * len(digests) if labels is None else labels.tolist()
    pairs = sorted(set(zip(digests, given, strict=True)))
    left = Counter(label for _, label in pairs)
    wanted = math.floor(share * len(set(digests)))
    chosen: set[bytes] = set()
    for digest, copies in groupby(pairs, key=lambda pair: pair[0]):
        classes = [label for _, label in copies]
        if len(chosen) < wanted and all(left[label] > 1 for label in classes):
            chosen.add(digest)
            left.subtract(classes)
    return np.array([digest in chosen for digest in digests], np.bool_)


def split(images: ImageSet, share: float, source: str = "the data") -> Split:
    """Hold out what the set itself says, else about ``share`` of it, 0 <= share < 1; the order within each part stays.

    Args:
        source: what the images came from, for messages.

    Raises:
        UsageError: the set holds out all that could be read.
        DoesNotFit: both parts, which are copies, do not fit into memory.
    """
    mask = images.held_out
    if mask is None and share:
        mask = held_out_rows([image_digest(row) for row in images.pixels], share, images.labels)
    if mask is not None:
        require_training(source, mask)
    if mask is None or not mask.any():
        return Split(training=replace(images, held_out=None), held_out=None)
    require_for(images.pixels.shape)
    return Split(training=images.take(np.flatnonzero(~mask)), held_out=images.take(np.flatnonzero(mask)))


def require_training(source: str, held_out: NDArray[np.bool_]) -> None:
    """Refuse a set of which nothing is left to train on.

    Raises:
        UsageError: all images are held out.
    """
    if held_out.all():
        raise UsageError(
            f"{source}: no image to train on can be read, only some of those that are held out",
            hint="is this the right folder?",
        )


def without_empty_classes(parts: Split) -> Split:
    """The parts without the classes of which neither has an image; a single class says nothing."""
    both = [part for part in (parts.training, parts.held_out) if part is not None]
    given = [part.labels for part in both if part.labels is not None]
    if len(given) < len(both):
        return parts
    labels, class_names = remaining_classes(np.concatenate(given), parts.training.class_names)
    if len(class_names) == len(parts.training.class_names):
        return parts
    cuts = [None] * len(both) if labels is None else np.split(labels, [len(both[0])])
    changed = [replace(part, labels=cut, class_names=class_names) for part, cut in zip(both, cuts, strict=False)]
    return Split(training=changed[0], held_out=changed[1] if len(changed) > 1 else None)


def resized(parts: Split, size: int | None) -> Split:
    """Both parts at size x size pixels; see ``ganzoo.data.resize``."""
    held_out = parts.held_out
    return Split(
        training=resize.resized(parts.training, size),
        held_out=None if held_out is None else resize.resized(held_out, size),
    )
