"""What figures are computed from: features of samples and of real images, gathered in one pass."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganzoo.data import ImageSet
from ganzoo.errors import PluginError
from ganzoo.evaluation.checks import whole_numbers
from ganzoo.evaluation.counting import Tally
from ganzoo.evaluation.features import FeatureExtractor
from ganzoo.evaluation.figures import Moments
from ganzoo.evaluation.labels import Labels, Matching, indices
from ganzoo.evaluation.modes import Modes
from ganzoo.evaluation.within import WithinClasses, thumbnails
from ganzoo.latents import pixels
from ganzoo.machine import cores
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.zoo.foreign import contained, in_one_line

KEPT = 10_000
"""Most images whose features are kept, for figures of neighbours; moments and class counts take all images."""

CHUNK = 256

Pixels = NDArray[np.uint8]
Source = Callable[[int, int], tuple[Pixels, Labels | None]]
"""(start, count) -> uint8 [count, C, H, W] and, where they have any, labels [count]; called from several threads."""


@dataclass(frozen=True)
class Sample:
    """Everything that was gathered from some images.

    Args:
        n: number of images.
        moments: moments of all their features; None without an extractor.
        features: the first images' features [min(n, KEPT), D] in float32; None without an extractor.
        tally: sums over their class probabilities; None without logits.
        assigned: [n], each image's mode, -1 for none; None where modes are not known.
        within: sums over the images by the class that they are, or were asked for; None without labels.
    """

    n: int
    moments: Moments | None
    features: NDArray[np.float32] | None
    tally: Tally | None
    assigned: Labels | None
    within: WithinClasses | None = None


@dataclass(frozen=True)
class Evidence:
    """The evidence that a metric computes its figures from.

    Args:
        fake: the samples, which are evaluated.
        real: what they are held against.
        training: the images that the model may have seen; None where some of them are evaluated themselves.
        held_out: the images that it has not seen; None where there are none.
        pairs: how many samples, and how many real images, figures of neighbours take: they depend on both numbers.
        modes: how many modes the data have; 0: not known.
    """

    fake: Sample
    real: Sample
    training: Sample | None
    held_out: Sample | None
    pairs: int
    modes: int = 0


def of_images(images: ImageSet) -> Source:
    """The images of a set in a fixed random order, so that its first n are a fair part of it."""
    stream = np.random.RandomState(np.random.Philox(key=np.array([0, len(images)], np.uint64)))
    order = stream.permutation(len(images))

    def source(start: int, count: int) -> tuple[Pixels, Labels | None]:
        rows = order[start : start + count]
        return images.pixels[rows], None if images.labels is None else images.labels[rows]

    return source


def of_generator(generator: ImageGenerator, seed: int, classes: Matching) -> Source:
    """The images of one seed: those of ``sample``, but for their labels, which are drawn as ``classes`` says.

    The labels are those of the real images.
    """
    card = generator.card

    def source(start: int, count: int) -> tuple[Pixels, Labels | None]:
        place = (len(card.class_names), seed, start, count)
        images, labels = pixels(generator.run, card.latent_dim, *place, pool=classes.pool)
        return images, None if labels is None or classes.meaning is None else classes.meaning[labels]

    return source


class Gatherer:
    """Gathers what one extractor, and one way to tell modes, say of images.

    Args:
        extractor, modes: either may be missing.
        class_names: the real images' classes; accuracy is tallied if the extractor knows them all by name or, where it
            does not name its own, has as many logits, and variety within classes whenever there are labels.
        workers: threads that make and look at images; what they find does not depend on their number.
    """

    def __init__(
        self,
        extractor: FeatureExtractor | None,
        modes: Modes | None,
        class_names: tuple[str, ...],
        workers: int | None = None,
    ) -> None:
        self._extractor = extractor
        self._modes = modes
        known = extractor.class_names if extractor else ()
        self._meaning = indices(class_names, known) if known else np.arange(len(class_names))
        self._classes = len(known or class_names)
        self._workers = workers or cores()

    def gather(self, source: Source, n: int, seen: Callable[[int], None] = lambda count: None) -> Sample:
        """Look at the first ``n`` images of ``source``; ``seen`` is called with how many more were looked at."""
        with contained(_named(self._modes)) if self._modes else nullcontext():
            sample = self._gather(source, n, seen)
        _seal(sample, sample.moments, sample.tally, sample.within)
        return sample

    def _gather(self, source: Source, n: int, seen: Callable[[int], None]) -> Sample:
        moments, tally, within, kept, assigned = None, None, None, [], []
        have = 0
        for features, logits, labels, small, modes, count in self._looks(source, n):
            if features is not None:
                moments = moments or Moments()
                moments.add(features)
                if have < KEPT:
                    kept.append(features[: KEPT - have].copy())  # a view would keep all of the chunk
            if logits is not None:
                tally = tally or Tally()
                tally.add(logits, self._in_logits(labels, logits.shape[1]))
            if small is not None and labels is not None:
                within = within or WithinClasses(len(self._meaning))
                within.add(small, labels)
            if modes is not None:
                assigned.append(modes)
            have += count
            seen(count)
        return Sample(
            n,
            moments,
            np.concatenate(kept) if kept else None,
            tally,
            np.concatenate(assigned) if assigned else None,
            within,
        )

    def _in_logits(self, labels: Labels | None, classes: int) -> Labels | None:
        """The labels as the extractor numbers its ``classes``; None: it does not know them."""
        if labels is None or classes != self._classes or (self._meaning < 0).any():
            return None
        return self._meaning[labels]

    def _looks(self, source: Source, n: int) -> Iterator["_Look"]:
        """Looks at chunks of images, in order and few at a time, so that memory does not grow with ``n``."""
        pending: deque[Future[_Look]] = deque()
        with ThreadPoolExecutor(self._workers) as pool:
            for start in range(0, n, CHUNK):
                pending.append(pool.submit(self._look, source, start, min(CHUNK, n - start)))
                if len(pending) > 2 * self._workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()

    def _look(self, source: Source, start: int, count: int) -> "_Look":
        pixels, labels = source(start, count)
        features, logits = self._extractor(pixels) if self._extractor else (None, None)
        modes = _assigned(self._modes, pixels) if self._modes else None
        small = None if labels is None else thumbnails(pixels)
        return features, logits, labels, small, modes, count


_Features = NDArray[np.float32] | None
_Look = tuple[_Features, _Features, Labels | None, NDArray[np.float64] | None, Labels | None, int]


def _assigned(modes: Modes, pixels: Pixels) -> Labels:
    """Each image's mode. No signal comes to the threads in which this runs, so an interrupt is the data set's own.

    Raises:
        PluginError: the data set's own code fails, or says something else.
    """
    try:
        return whole_numbers(modes.assign(pixels), len(pixels), -1, modes.count, "modes")
    except BaseException as error:
        raise PluginError(f"{_named(modes)} fail: {in_one_line(error)}") from error


def _named(modes: Modes) -> str:
    return f"the modes of the data, {type(modes).__name__},"


def _seal(*sums: object) -> None:
    """Make the arrays of sums read-only: they are gathered once, and every metric looks at them."""
    for each in filter(None, sums):
        for value in vars(each).values():
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
