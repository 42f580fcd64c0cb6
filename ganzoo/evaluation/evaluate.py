"""From images to an ``Evaluation``: the same protocol for samples, for real images in their place, and in training."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import stats

from ganzoo.data import ImageSet, Split
from ganzoo.data.load import named
from ganzoo.errors import PluginError, UsageError
from ganzoo.evaluation.evidence import KEPT, Evidence, Gatherer, Sample, Source, of_images
from ganzoo.evaluation.extractor import FeatureExtractor, open_extractor
from ganzoo.evaluation.modes import Modes
from ganzoo.evaluation.record import HELD_OUT, TRAINING, Evaluation, Figure, Protocol
from ganzoo.specs import Metric
from ganzoo.zoo import Zoo, load_target

SAMPLES = 10_000
"""Samples a seed unless more or fewer are asked for, or the training set has fewer images."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What to judge with.

    Args:
        data: real images, at the size of the samples.
        name: of their set.
        extractor, modes: either may be missing, not both.
        metrics: what to compute.
        n: samples a seed.
        against: ``held-out`` or ``training``.
    """

    data: Split
    name: str
    extractor: FeatureExtractor | None
    modes: Modes | None
    metrics: Sequence[Metric]
    n: int
    against: str


def prepare(
    source: str,
    data: Split,
    zoo: Zoo,
    *,
    features: str = "",
    n: int | None = None,
    against: str = HELD_OUT,
    threads: int | None = 1,
) -> Judgement:
    """Choose extractor and modes for the data that ``source`` names.

    Args:
        features: an extractor's name, or the path of a ``.onnx`` file; empty: the data set's own.
        n: samples a seed; None: as many as there are training images, at most ``SAMPLES``.

    Raises:
        UsageError: nothing is known to judge such images with, or nothing was held out.
    """
    dataset = named(source, zoo)
    reference = features or (dataset.extractor if dataset else "")
    modes: Modes | None = load_target(dataset.modes) if dataset and dataset.modes else None
    extractor = open_extractor(reference, zoo, threads=threads) if reference else None
    if extractor is None and modes is None:
        raise UsageError(
            f"there is no extractor for {source}",
            hint="give one: --features FILE.onnx (docs/evaluation.md shows how to make one)",
        )
    if extractor:
        extractor.check(data.training.shape)
    if against == HELD_OUT and data.held_out is None:
        raise UsageError(
            f"no image of {source} was held out to judge by", hint="--against training, which rewards copies"
        )
    n = n or min(SAMPLES, len(data.training))
    if n < 2:
        raise UsageError(f"{n} samples are too few to judge", hint="-n 1000")
    metrics = zoo.all(Metric)
    return Judgement(data=data, name=source, extractor=extractor, modes=modes, metrics=metrics, n=n, against=against)


class Evaluator:
    """Judges generators; what real images say is gathered once.

    Args:
        judgement: what to judge with.
        workers: threads; None: one a core.
        seen: is called with how many more samples were judged.
    """

    def __init__(
        self,
        judgement: Judgement,
        *,
        workers: int | None = None,
        seen: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._of = judgement
        self._seen = seen
        classes = len(judgement.data.training.class_names)
        self._gatherer = Gatherer(judgement.extractor, judgement.modes, classes, workers)

    def protocol(self, seeds: Sequence[int]) -> Protocol:
        """How figures over ``seeds`` would be made."""
        of, real = self._of, self._reference
        return Protocol(
            features=of.extractor.name if of.extractor else "",
            sha256=of.extractor.sha256 if of.extractor else "",
            data=of.name,
            digest=real.digest,
            against=of.against,
            real=len(real),
            n=of.n,
            pairs=min(of.n, len(real), KEPT),
            seeds=tuple(seeds),
        )

    def judge(self, source: Source) -> dict[str, float]:
        """The figures of one seed's samples."""
        return self._figures(self._gatherer.gather(source, self._of.n, self._seen))

    def evaluate(self, sources: Mapping[int, Source], notes: Sequence[str] = ()) -> Evaluation:
        """The figures over all seeds, with what real images score in the samples' place."""
        judged = [self.judge(source) for source in sources.values()]
        floor_n, floor = self._floor()
        return Evaluation(
            protocol=self.protocol(list(sources)),
            figures={
                name: _figure([each[name] for each in judged])
                for name in judged[0]
                if all(name in each for each in judged)
            },
            floor=floor,
            floor_n=floor_n,
            notes=tuple(notes),
        )

    def _floor(self) -> tuple[int, dict[str, float]]:
        """What the other part of the set scores, as many images of it as there are samples if it has them."""
        data = self._of.data
        other = data.training if self._of.against == HELD_OUT else data.held_out
        if other is None:
            return 0, {}
        n = min(self._of.n, len(other))
        return n, self._figures(self._gatherer.gather(of_images(other), n), judged_are_real=True)

    def _figures(self, fake: Sample, *, judged_are_real: bool = False) -> dict[str, float]:
        real = self._training if self._of.against == TRAINING else self._held_out
        assert real is not None  # noqa: S101 - ``prepare`` saw to it
        evidence = Evidence(
            fake=fake,
            real=real,
            training=None if judged_are_real else self._training,
            held_out=self._held_out,
            pairs=min(fake.n, real.n, KEPT),
            modes=self._of.modes.count if self._of.modes else 0,
        )
        found: dict[str, float] = {}
        for metric in self._of.metrics:
            found |= _checked(metric, load_target(metric.target)(evidence))
        return found

    @property
    def _reference(self) -> ImageSet:
        part = self._of.data.held_out if self._of.against == HELD_OUT else self._of.data.training
        assert part is not None  # noqa: S101 - ``prepare`` saw to it
        return part

    @cached_property
    def _training(self) -> Sample:
        images = self._of.data.training
        return self._gatherer.gather(of_images(images), len(images))

    @cached_property
    def _held_out(self) -> Sample | None:
        images = self._of.data.held_out
        return self._gatherer.gather(of_images(images), len(images)) if images else None


def _checked(metric: Metric, found: Any) -> dict[str, float]:
    if not isinstance(found, Mapping) or not found.keys() <= metric.figures.keys():
        raise PluginError(f"metric {metric.name!r} returned {found!r:.80}, not some of {sorted(metric.figures)}")
    return {name: float(value) for name, value in found.items()}


def _figure(values: Sequence[float]) -> Figure:
    """Mean and its 95 % interval, mean ± t s / sqrt(m)."""
    mean, m = float(np.mean(values)), len(values)
    if m == 1:
        return Figure(mean=mean, low=None, high=None, values=tuple(values))
    half = float(stats.t.ppf(0.975, m - 1)) * float(np.std(values, ddof=1)) / math.sqrt(m)
    return Figure(mean=mean, low=mean - half, high=mean + half, values=tuple(values))
