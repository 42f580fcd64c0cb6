"""Checks of metrics and extractors: figures are those that were declared, and features belong to one image each."""

import numpy as np

from ganzoo.data import ImageSet
from ganzoo.errors import PluginError
from ganzoo.evaluation import Evidence, Moments, Sample, Tally, WithinClasses
from ganzoo.evaluation.evaluate import computed
from ganzoo.evaluation.extractor import open_extractor, try_extractor
from ganzoo.specs import Extractor, ImageShape, Metric
from ganzoo.testing.bench import CLASSES, Bench, images

SAMPLES = 200
FEATURES = 8
PIXELS = 32
"""Height and width of the images that an extractor of any size is tried on."""


def figures(bench: Bench, spec: Metric) -> str:
    """It gives figures that it declares, finite, in their bounds, and again the same; where evidence lacks, fewer.

    None of them is another metric's that comes before it.
    """
    name, found = bench.zoo.qualified(spec), dict[str, float]()
    for other in bench.zoo.all(Metric):
        if bench.zoo.qualified(other) == name:
            break
        if shared := sorted(spec.figures.keys() & other.figures.keys()):
            raise PluginError(
                f"metric {bench.zoo.qualified(other)} gives {shared[0]!r}, too, so this one is left out",
                hint="choose another name for the figure",
            )
    for evidence in (_bare(), _full()):
        given = computed(name, spec, evidence)
        if computed(name, spec, evidence) != given:
            raise PluginError("the same evidence gives other figures each time")
        found |= given
    for figure, value in found.items():
        low, high = spec.bounds.get(figure, (-np.inf, np.inf))
        if not low <= value <= high:
            raise PluginError(f"{figure} is {value:.4g}, and its bounds are {low:g} and {high:g}")
    if not found:
        raise PluginError(f"it gives none of {', '.join(sorted(spec.figures))}, whatever the evidence")
    return ", ".join(f"{figure} {value:.4g}" for figure, value in sorted(found.items()))


def features(bench: Bench, spec: Extractor) -> str:
    """Its file is the one that was declared, and the features of an image are those of that image alone."""
    given = images(ImageShape(channels=3, height=PIXELS, width=PIXELS)) if spec.from_images else None
    extractor = open_extractor(bench.zoo.qualified(spec), bench.zoo, device="cpu", threads=1, images=given)
    channels, height, width = extractor.wanted
    shape = ImageShape(channels=channels or 3, height=height or PIXELS, width=width or PIXELS)
    tried: ImageSet = given or images(shape)
    return f"{try_extractor(extractor, tried)} features of {shape.channels}x{shape.height}x{shape.width}"


def _full() -> Evidence:
    """Evidence with everything: an extractor with logits, labels, and known modes."""
    return Evidence(
        fake=_sample(0),
        real=_sample(1),
        training=_sample(2),
        held_out=_sample(1),
        pairs=SAMPLES,
        modes=CLASSES,
    )


def _bare() -> Evidence:
    """Evidence with nothing but how many images there were."""
    nothing = Sample(SAMPLES, None, None, None, None)
    return Evidence(fake=nothing, real=nothing, training=None, held_out=None, pairs=0)


def _sample(seed: int) -> Sample:
    stream = np.random.RandomState(np.random.Philox(key=np.array([seed, 1], np.uint64)))
    rows = stream.normal(size=(SAMPLES, FEATURES)).astype(np.float32)
    labels = np.arange(SAMPLES, dtype=np.int64) % CLASSES
    moments, tally, within = Moments(), Tally(), WithinClasses(CLASSES)
    moments.add(rows)
    tally.add(stream.normal(size=(SAMPLES, CLASSES)), labels)
    within.add(stream.uniform(size=(SAMPLES, FEATURES)), labels)
    for array in (rows, labels):
        array.setflags(write=False)
    return Sample(SAMPLES, moments, rows, tally, labels, within)
