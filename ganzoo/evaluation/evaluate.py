"""From images to an ``Evaluation``, by one protocol for samples, for real images in their place, and in training."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from ganzoo.data import ImageSet
from ganzoo.errors import PluginError
from ganzoo.evaluation.criteria import Criteria
from ganzoo.evaluation.evidence import KEPT, Evidence, Gatherer, Sample, Source, of_images
from ganzoo.records.evaluation import HELD_OUT, Evaluation, Figure, Protocol
from ganzoo.specs import Metric
from ganzoo.zoo.discovery import BUILTIN
from ganzoo.zoo.foreign import contained, in_one_line, is_ours, warn
from ganzoo.zoo.names import load_target

_ANY = (-math.inf, math.inf)


class Evaluator:
    """Evaluates generators; the features of the real images are gathered once.

    Args:
        criteria: what to evaluate by.
        workers: threads; None: one a core.
        seen: is called with how many more samples were looked at.
        noted: is given a line the first time that a metric is left out.

    Attributes:
        left_out: the metrics that could not be computed at least once, by qualified name -> why.
    """

    def __init__(
        self,
        criteria: Criteria,
        *,
        workers: int | None = None,
        seen: Callable[[int], None] = lambda count: None,
        noted: Callable[[str], None] = warn,
    ) -> None:
        self.left_out: dict[str, str] = {}
        self._noted = noted
        self._by = criteria
        self._seen = seen
        names = criteria.data.training.class_names
        self._gatherer = Gatherer(criteria.extractor, criteria.modes, names, workers)
        self._against_held_out = criteria.against == HELD_OUT

    def protocol(self, seeds: Sequence[int]) -> Protocol:
        """The protocol by which figures over ``seeds`` are made."""
        by, (real, other) = self._by, self._parts
        assert real is not None  # noqa: S101 - ``choose_criteria`` saw to it
        return Protocol(
            features=by.extractor.name if by.extractor else "",
            sha256=by.extractor.sha256 if by.extractor else "",
            data=by.name,
            digest=real.digest,
            other=other.digest if other else "",
            against=by.against,
            real=len(real),
            n=by.n,
            pairs=min(by.n, len(real), KEPT) if by.extractor else 0,
            seeds=tuple(seeds),
        )

    def figures(self, source: Source) -> dict[str, float]:
        """The figures of one seed's samples."""
        return self._figures(self._gatherer.gather(source, self._by.n, self._seen), self._training)

    def evaluate(self, sources: Mapping[int, Source], notes: Sequence[str] = ()) -> Evaluation:
        """The figures over all seeds, with what real images score in the samples' place."""
        found = [self.figures(source) for source in sources.values()]
        floor_n, floor = self.floor
        bounds = {name: ends for metric in self._by.metrics.values() for name, ends in metric.bounds.items()}
        shared = [name for name in found[0] if all(name in each for each in found)]
        return Evaluation(
            protocol=self.protocol(list(sources)),
            figures={name: _figure([each[name] for each in found], bounds.get(name, _ANY)) for name in shared},
            floor=floor,
            floor_n=floor_n,
            metrics=tuple(self._by.metrics),
            notes=(*notes, *self.left_out.values()),
        )

    @cached_property
    def floor(self) -> tuple[int, dict[str, float]]:
        """How many images of the set's other part stand in for the samples (at most as many), and their figures."""
        _, other = self._parts
        if other is None:
            return 0, {}
        n = min(self._by.n, len(other))
        return n, self._figures(self._gatherer.gather(of_images(other), n), None)

    def _figures(self, fake: Sample, training: Sample | None) -> dict[str, float]:
        real = self._held_out if self._against_held_out else self._training
        assert real is not None  # noqa: S101 - ``choose_criteria`` saw to it
        evidence = Evidence(
            fake=fake,
            real=real,
            training=training,
            held_out=self._held_out,
            pairs=min(fake.n, real.n, KEPT),
            modes=self._by.modes.count if self._by.modes else 0,
        )
        found: dict[str, float] = {}
        for name, metric in self._by.metrics.items():
            try:
                found |= computed(name, metric, evidence)
            except PluginError as error:  # nobody asked for this one: the others count
                self._leave_out(name, f"{error}; it is left out")
        return found

    def _leave_out(self, name: str, reason: str) -> None:
        if name not in self.left_out:
            self.left_out[name] = reason
            self._noted(reason)

    @property
    def _parts(self) -> tuple[ImageSet | None, ImageSet | None]:
        """The part of the set that is held against the samples, and the other part."""
        data = self._by.data
        return (data.held_out, data.training) if self._against_held_out else (data.training, data.held_out)

    @cached_property
    def _training(self) -> Sample:
        """The training images; if samples are not held against them, only as many as figures of neighbours look at."""
        images = self._by.data.training
        n = min(len(images), KEPT) if self._against_held_out else len(images)
        return self._gatherer.gather(of_images(images), n)

    @cached_property
    def _held_out(self) -> Sample | None:
        images = self._by.data.held_out
        if images is None:
            return None
        n = len(images) if self._against_held_out else min(len(images), KEPT)
        return self._gatherer.gather(of_images(images), n)


def computed(name: str, metric: Metric, evidence: Evidence) -> dict[str, float]:
    """The metric's figures.

    Raises:
        PluginError: it raises anything, or returns what is no finite number or no figure of its own.
        GanzooError: a built-in one cannot be computed with what is installed or given.
    """
    with contained(f"metric {name}") as interrupts:
        try:
            answer = load_target(metric.target)(evidence)
            found = {str(figure): float(value) for figure, value in answer.items()}
        except BaseException as error:
            if error in interrupts or (is_ours(error) and name.startswith(f"{BUILTIN}/")):
                raise
            raise PluginError(f"metric {name} fails: {in_one_line(error)}") from error
    if not found.keys() <= metric.figures.keys() or not all(map(math.isfinite, found.values())):
        raise PluginError(f"metric {name} returned {found!r:.80}, not finite numbers for {sorted(metric.figures)}")
    return found


def _figure(values: Sequence[float], bounds: tuple[float, float]) -> Figure:
    """Mean and its 95 % interval, mean ± t s / sqrt(m) as far as the mean can be.

    The interval of a share from two seeds would reach far beyond 0 and 1. What is cut off cannot hold the true mean, so
    the rest holds it as often as the whole.
    """
    mean, m = float(np.mean(values)), len(values)
    if m == 1:
        return Figure(mean=mean, low=None, high=None, values=tuple(values))
    from scipy.special import stdtrit  # scipy.stats, where t.ppf is this function, takes a second to import

    half = float(stdtrit(m - 1, 0.975)) * float(np.std(values, ddof=1)) / math.sqrt(m)
    low, high = (min(max(end, bounds[0]), bounds[1]) for end in (mean - half, mean + half))
    return Figure(mean=mean, low=min(low, mean), high=max(high, mean), values=tuple(values))
