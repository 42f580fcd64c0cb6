"""Training and held-out images: which is which depends on the images alone, never on their order or their names."""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ganzoo.data import resize
from ganzoo.data.allocation import require_for
from ganzoo.data.imageset import ImageSet, remaining_classes
from ganzoo.errors import UsageError

_NONE_LEFT = "nothing is held out: each group is more than half of the images, or has the last images of a class"


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


def held_out_rows(
    digests: Sequence[bytes],
    share: float,
    labels: NDArray[np.int64] | None = None,
    groups: NDArray[np.int64] | None = None,
) -> NDArray[np.bool_]:
    """Which images are held out: those with the smallest digests, floor(share * distinct images) of them.

    Copies of an image lie on one side, so that no image is both trained on and evaluated by, and so do the images of a
    group; a group whose image has a copy in another group is one with that. Where groups have several images, whole
    ones are taken until the share is reached, in the order of a digest of all their images, so that a large group comes
    no sooner than a small one. A group of more than half of the images is never held out. A larger share holds out what
    a smaller one does, and more; an image that is added to a set moves few of the others. The last image of a class is
    never held out, so there may be fewer than the share.
    """
    given = [0] * len(digests) if labels is None else labels.tolist()
    pairs = set(zip(digests, given, strict=True))
    left = Counter(label for _, label in pairs)
    distinct = len(set(digests))
    wanted = math.floor(share * distinct)
    unit_of = _units(digests, groups)
    unit_pairs = sorted((unit_of[digest], digest, label) for digest, label in pairs)
    chosen: set[bytes] = set()
    for _, images in groupby(unit_pairs, key=lambda each: each[0]):
        members, of_class = set[bytes](), Counter[int]()
        for _, digest, label in images:
            members.add(digest)
            of_class[label] += 1
        small = len(members) == 1 or 2 * len(members) <= distinct
        if len(chosen) < wanted and small and all(left[label] > count for label, count in of_class.items()):
            chosen |= members
            left.subtract(of_class)
    return np.array([digest in chosen for digest in digests], np.bool_)


def _units(digests: Sequence[bytes], groups: NDArray[np.int64] | None) -> dict[bytes, bytes]:
    """Digest of each image -> that of all images that must lie on its side; of an image alone it is its own."""
    if groups is None:
        return {digest: digest for digest in digests}
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = {digest: count for count, digest in enumerate(dict.fromkeys(digests))}
    group = len(number) + np.unique(groups, return_inverse=True)[1]
    edges = (np.ones(len(digests)), ([number[digest] for digest in digests], group))
    _, components = connected_components(coo_array(edges, shape=[int(group.max()) + 1] * 2), directed=False)
    members: dict[int, list[bytes]] = defaultdict(list)
    for digest in sorted(number):
        members[components[number[digest]]].append(digest)
    found: dict[bytes, bytes] = {}
    for unit in members.values():
        own = unit[0] if len(unit) == 1 else hashlib.blake2b(b"".join(unit), digest_size=16).digest()
        found |= dict.fromkeys(unit, own)
    return found


def split(images: ImageSet, share: float, source: str = "the data") -> Split:
    """Hold out what the set itself says, else about ``share`` of it, 0 <= share < 1; the order within each part stays.

    Where groups leave nothing to hold out, a note says so.

    Args:
        source: what the images came from, for messages.

    Raises:
        UsageError: the set holds out all that could be read.
        DoesNotFit: both parts, which are copies, do not fit into memory.
    """
    mask = images.held_out
    if mask is None and share:
        mask = held_out_rows([image_digest(row) for row in images.pixels], share, images.labels, images.groups)
    if mask is not None:
        require_training(source, mask)
    if mask is None or not mask.any():
        wanted = images.groups is not None and share * len(images) >= 1
        notes = (*images.notes, _NONE_LEFT) if wanted else images.notes
        return Split(training=replace(images, held_out=None, notes=notes), held_out=None)
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
