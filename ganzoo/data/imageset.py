"""Images as readers return them: decoded (``ImageSet``), or encoded in files (``EncodedImages``)."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ganzoo.data.names import plain
from ganzoo.errors import UsageError
from ganzoo.specs import ImageShape

CHANNELS = (1, 3)
"""Numbers of channels that an image may have: grey or colour."""


class _Told:
    """What a person should hear once of a set."""

    unlabelled: str
    notes: tuple[str, ...]

    @property
    def told(self) -> tuple[str, ...]:
        """The notes, and why it is unlabelled, if there is a reason: what a person should hear once."""
        reason = [f"the images count as unlabelled: {self.unlabelled}"] if self.unlabelled else []
        return tuple(map(plain, (*self.notes, *reason)))


@dataclass(frozen=True, kw_only=True)
class ImageSet(_Told):
    """Images as one array, in memory or mapped from a file.

    Args:
        pixels: uint8 [N, C, H, W], C = 1 or 3, 0 black to 255.
        labels: int64 [N], 0 to classes - 1, or None.
        class_names: one per class; empty without labels. They are kept as ``ganzoo.data.names.plain`` writes them.
        unlabelled: why what looks like labels was not taken; empty where nothing does.
        held_out: bool [N], which images the data itself holds out for evaluation; None: it does not say.
        groups: int64 [N], any numbers: images with the same one (frames of a film, skin tones of an emoji) are
            near-copies, and lie on one side of the split; None: each is alone. They are no part of the digest.
        skipped: what could not be read, as "file: reason".
        notes: what else a person should know, a line each: what lies there and is not read, say.

    Raises:
        UsageError: no images, or labels or groups that do not fit.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    unlabelled: str = ""
    held_out: NDArray[np.bool_] | None = None
    groups: NDArray[np.int64] | None = None
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 4 or not self.pixels.size:
            raise UsageError(f"images must be a non-empty uint8 array [N, C, H, W], not {_describe(self.pixels)}")
        if self.pixels.shape[1] not in CHANNELS:
            raise UsageError(f"images must have 1 or 3 channels [N, C, H, W], not {_describe(self.pixels)}")
        for field in ("class_names", "skipped", "notes"):
            object.__setattr__(self, field, tuple(map(plain, getattr(self, field))))
        object.__setattr__(self, "unlabelled", plain(self.unlabelled))
        if self.held_out is not None and (self.held_out.dtype != bool or self.held_out.shape != (len(self.pixels),)):
            raise UsageError(
                f"held_out must be a bool array [{len(self.pixels)}], one an image, not {_describe(self.held_out)}"
            )
        self._check_groups()
        self._check_labels()

    def _check_groups(self) -> None:
        if self.groups is None:
            return
        if self.groups.dtype != np.int64 or self.groups.shape != (len(self.pixels),):
            raise UsageError(
                f"groups must be an int64 array [{len(self.pixels)}], one an image, not {_describe(self.groups)}"
            )
        if self.held_out is None:
            return
        if len(both := np.intersect1d(self.groups[self.held_out], self.groups[~self.held_out])):
            raise UsageError(f"group {both[0]} has images that are held out and others that are not")

    def _check_labels(self) -> None:
        if self.labels is None:
            if self.class_names:
                raise UsageError(f"there are {len(self.class_names)} class names, but no labels")
            return
        if self.labels.dtype != np.int64 or self.labels.shape != (len(self.pixels),):
            raise UsageError(
                f"labels must be an int64 array [{len(self.pixels)}], one an image, not {_describe(self.labels)}"
            )
        if len(set(self.class_names)) < len(self.class_names):
            raise UsageError("class names must differ from one another")
        if self.labels.min() < 0 or self.labels.max() >= len(self.class_names):
            raise UsageError(f"labels must lie in 0 to {len(self.class_names) - 1}, one for each class name")

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> ImageShape:
        """The shape that networks for this set are built for."""
        _, channels, height, width = self.pixels.shape
        return ImageShape(channels=channels, height=height, width=width, classes=len(self.class_names))

    def take(self, rows: "slice | NDArray[np.int64]") -> "ImageSet":
        """Some of the images, with the same classes, and none of them held out; a slice copies nothing."""
        labels = None if self.labels is None else self.labels[rows]
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, pixels=self.pixels[rows], labels=labels, held_out=None, groups=groups)

    @cached_property
    def digest(self) -> str:
        """``sha256:<hex>`` of shape, pixels, labels and class names: the set's identity, wherever it was read from."""
        digest = hashlib.sha256(repr((self.pixels.shape, self.class_names)).encode())
        digest.update(np.ascontiguousarray(self.pixels).data)
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels).data)
        return f"sha256:{digest.hexdigest()}"


@dataclass(frozen=True, kw_only=True)
class EncodedImages(_Told):
    """Images in a file format that Pillow reads, not decoded yet; ``ganzoo.data.decode`` makes an ``ImageSet`` of them.

    Args:
        names: one an image, for messages: ``cats/7.png``.
        read: index -> the file's bytes; called from several threads at once. What it raises counts as damage of that
            one image, but for what the system says: ``MemoryError``, and an ``OSError`` with an ``errno``.
        labels, class_names, unlabelled, held_out, groups, notes: as in ``ImageSet``, for all of ``names``.
    """

    names: Sequence[str]
    read: Callable[[int], bytes]
    labels: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    unlabelled: str = ""
    held_out: NDArray[np.bool_] | None = None
    groups: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()


def remaining_classes(
    labels: NDArray[np.int64] | None, class_names: Sequence[str]
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Labels and class names without the classes that no image has; one class that remains says nothing."""
    if labels is None:
        return None, ()
    classes, numbers = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        return None, ()
    return numbers.astype(np.int64), tuple(class_names[index] for index in classes)


def _describe(array: NDArray[np.generic]) -> str:
    return f"{array.dtype} {list(array.shape)}"
