"""``Sampling``: the images of a seed, by whatever makes images of latents."""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import UsageError
from ganzoo.images import encode_png, grid, picture, to_uint8
from ganzoo.latents import MAX_SEED, draw, pixels, slerp
from ganzoo.machine import cores
from ganzoo.runtime.card import GeneratorCard
from ganzoo.runtime.controls import Value, control_values
from ganzoo.runtime.inputs import whole
from ganzoo.runtime.labels import find_class
from ganzoo.runtime.order import in_order
from ganzoo.runtime.session import MOST_THREADS

if TYPE_CHECKING:
    from PIL.Image import Image

BATCH = 32
"""Most images that one run makes: ONNX Runtime's arena never gives back what its largest batch took."""

SHOWN = 16
"""Images that a notebook shows of a generator."""

MAX_IMAGES = 65_536
"""Most images that one call makes at once; ``stream`` makes any number."""

Label = int | str
"""A class: its index or its name."""

Controls = Mapping[str, Value]
DEFAULTS: Controls = MappingProxyType({})
"""No control is given, so each has its default."""


def random_seed() -> int:
    """A seed for callers that were given none, and should show this one; 32 bits, so that a person can retype it."""
    return secrets.randbits(32)


class Sampling(ABC):
    """What can be asked of a generator: images of a seed, all at once, as a stream, on a way, as a grid.

    Attributes:
        card: what the generator says about itself.
    """

    card: GeneratorCard

    @abstractmethod
    def forward(
        self,
        z: NDArray[np.float32],
        labels: NDArray[np.int64] | None,
        controls: Mapping[str, float | NDArray[np.float32]] = MappingProxyType({}),
    ) -> NDArray[np.float32]:
        """Images [N, C, H, W] of latents z [N, L], N <= ``BATCH``, and labels [N]; ``controls`` as numbers."""

    @abstractmethod
    def run(
        self, z: NDArray[np.float32], labels: NDArray[np.int64] | None = None, controls: Controls = DEFAULTS
    ) -> NDArray[np.float32]:
        """The same for any N, with everything checked."""

    def _repr_png_(self) -> bytes:
        """A grid of the first images of seed 0, which a notebook shows."""
        images, _ = self.pixels(SHOWN, 0)
        return encode_png(grid(images))

    def sample(
        self,
        n: int,
        seed: int | None = None,
        label: "Label | Sequence[Label] | None" = None,
        start: int = 0,
        controls: Controls = DEFAULTS,
    ) -> NDArray[np.uint8]:
        """Images ``start .. start + n`` of ``seed``. Image i depends on (seed, i), label and controls alone.

        Args:
            n: 1 to ``MAX_IMAGES``.
            seed: 0 to 2^64 - 1; None: ``random_seed()``.
            label: index or name of the class of all images, or n of them, one an image; None: each image's is drawn
                from the seed.
            start: index of the first image.
            controls: some of the generator's controls, ``{"truncation": 0.7}``, for all images; the others have their
                defaults. The card lists them with their ranges.

        Returns:
            [n, H, W, C] in uint8.

        Raises:
            UsageError: an argument is out of range.
            GanzooError: the generator made pixels that are not finite.
        """
        images, _ = self.pixels(n, random_seed() if seed is None else seed, label, start, controls)
        return np.ascontiguousarray(images.transpose(0, 2, 3, 1))

    def stream(
        self,
        n: int,
        seed: int | None = None,
        label: "Label | Sequence[Label] | None" = None,
        start: int = 0,
        controls: Controls = DEFAULTS,
        *,
        workers: int | None = None,
    ) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64] | None]]:
        """The images of ``sample`` a few at a time, in their order, in constant memory: a million, say.

        They are the same images whatever ``workers`` is. Load the generator with ``threads=1`` for it: several threads
        with a batch each are faster than several that share one.

        Args:
            n: at least 1.
            seed, label, start, controls: see ``sample``.
            workers: threads that make batches, 1 to 1,024; None: one for each core.

        Returns:
            An iterator of images [B, H, W, C] in uint8, B <= ``BATCH``, and their labels, int64 [B], or None where the
            generator takes none.

        Raises:
            UsageError, GanzooError: as ``sample``.
        """
        workers = cores() if workers is None else whole(workers, "workers", 1, MOST_THREADS)
        n = whole(n, "n", 1, MAX_SEED + 1)
        batches = self._batches(n, random_seed() if seed is None else seed, label, start, controls, workers)
        return ((np.ascontiguousarray(images.transpose(0, 2, 3, 1)), labels) for images, labels in batches)

    def interpolate(
        self, a: int, b: int, steps: int = 8, label: Label | None = None, controls: Controls = DEFAULTS
    ) -> NDArray[np.uint8]:
        """Images on the way from the first image of seed ``a`` to that of seed ``b``, spherical in the latents.

        Args:
            a, b: seeds.
            steps: how many images, 1 to ``MAX_IMAGES``, the two ends among them.
            label: index or name of the class of all images; None: that of the first image of ``a``.
            controls: see ``sample``.

        Returns:
            [steps, H, W, C] in uint8; see ``ganzoo.latents.slerp``.

        Raises:
            UsageError, GanzooError: as ``sample``.
        """
        steps = whole(steps, "steps", 1, MAX_IMAGES)
        classes = len(self.card.class_names)
        seeds = whole(a, "a", 0, MAX_SEED), whole(b, "b", 0, MAX_SEED)
        ((start, labels), (end, _)) = (draw(seed, 0, 1, self.card.latent_dim, classes) for seed in seeds)
        chosen = self.resolve_labels(label, steps)
        if labels is not None and chosen is None:
            chosen = labels.repeat(steps)
        images = to_uint8(self.run(slerp(start[0], end[0], steps), chosen, controls))
        return np.ascontiguousarray(images.transpose(0, 2, 3, 1))

    def grid(
        self,
        n: int = SHOWN,
        seed: int | None = None,
        label: "Label | Sequence[Label] | None" = None,
        start: int = 0,
        controls: Controls = DEFAULTS,
        *,
        columns: int | None = None,
    ) -> "Image":
        """The images of ``sample`` side by side, as a Pillow image: a notebook shows it, and ``.save`` writes it.

        Args:
            n, seed, label, start, controls: see ``sample``.
            columns: images a row; None: as many as there are rows, or one more.

        Raises:
            UsageError, GanzooError: as ``sample``.
        """
        images, _ = self.pixels(n, random_seed() if seed is None else seed, label, start, controls)
        return picture(grid(images, columns))

    def pixels(
        self,
        n: int,
        seed: int,
        label: "Label | Sequence[Label] | None" = None,
        start: int = 0,
        controls: Controls = DEFAULTS,
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
        """The images of ``sample``, channels first, and their labels.

        Returns:
            uint8 [n, C, H, W], and int64 [n] or None where the generator takes no labels.

        Raises:
            UsageError, GanzooError: as ``sample``.
        """
        n = whole(n, "n", 1, MAX_IMAGES)
        card = self.card
        images = np.empty((n, card.channels, card.height, card.width), np.uint8)
        labels = np.empty(n, np.int64) if card.class_names else None
        done = 0
        for batch, drawn in self._batches(n, seed, label, start, controls, workers=1):
            rows = slice(done, done := done + len(batch))
            images[rows] = batch
            if labels is not None and drawn is not None:
                labels[rows] = drawn
        return images, labels

    def _batches(
        self,
        n: int,
        seed: int,
        label: "Label | Sequence[Label] | None",
        start: int,
        controls: Controls,
        workers: int,
    ) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64] | None]]:
        """The images of ``pixels`` and their labels, ``BATCH`` at a time; arguments are checked before the first."""
        seed = whole(seed, "seed", 0, MAX_SEED)
        start = whole(start, "start", 0, MAX_SEED + 1 - n)
        chosen = self.resolve_labels(label, n)
        forward = partial(self.forward, controls=self.resolve_controls(controls))

        def batch(first: int) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
            place = (seed, start + first, min(BATCH, n - first))
            given = None if chosen is None else chosen[first : first + BATCH]
            return pixels(forward, self.card.latent_dim, len(self.card.class_names), *place, given)

        return in_order(batch, range(0, n, BATCH), workers)

    def resolve_label(self, label: int | str) -> int:
        """The index of a class, given by name or by index; see ``ganzoo.runtime.labels.find_class``.

        Raises:
            UsageError: there is no such class, or the generator takes no labels.
        """
        return find_class(label, self.card.class_names, self.card.name)

    def resolve_labels(self, label: "Label | Sequence[Label] | None", n: int) -> NDArray[np.int64] | None:
        """The indices of the classes of n images, [n] in int64, given one for all or one each; None: none is given.

        Raises:
            UsageError: as ``resolve_label``; or there are not n.
        """
        if isinstance(label, np.ndarray) and not label.ndim:
            label = label.item()
        if label is None or isinstance(label, str) or not isinstance(label, Sequence | np.ndarray):
            return None if label is None else np.full(n, self.resolve_label(label))
        if len(label) != n:
            raise UsageError(f"there are {len(label)} labels for {n} images", hint="give one for all, or one an image")
        return np.array([self.resolve_label(each) for each in label], np.int64)

    def resolve_controls(self, given: Controls) -> dict[str, float]:
        """The value of each control; see ``ganzoo.runtime.controls.control_values``.

        Raises:
            UsageError: there is no such control, or a value is no number within its range.
        """
        if not isinstance(given, Mapping):
            raise UsageError(f"controls must be a mapping, not {given!r:.60}", hint='for example {"truncation": 0.7}')
        return control_values(given, self.card.controls, self.card.name)
