"""Criteria to evaluate by: real images, an extractor or known modes, and the metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ganzoo.data import Split
from ganzoo.data.load import named
from ganzoo.errors import UsageError
from ganzoo.evaluation.extractor import open_extractor, try_extractor
from ganzoo.evaluation.features import FeatureExtractor
from ganzoo.evaluation.modes import Modes
from ganzoo.records.evaluation import HELD_OUT, TRAINING
from ganzoo.runtime.providers import Device
from ganzoo.specs import Metric
from ganzoo.zoo.names import Zoo, load_target

OWN = "own"
"""The extractor of data sets that have none, and no modes: it is made of their training images."""

SAMPLES = 10_000
"""Most samples a seed unless a number is asked for; no more than the training set has images."""

MANY_FEATURES = 1000
"""Fewest features an image whose Fréchet distance a person has to wait for."""

FEW = 100
"""Fewest real images whose figures are not called coarse."""


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """The criteria to evaluate by.

    Args:
        data: real images, at the size of the samples.
        name: the set's name, or a path's last part.
        extractor, modes: either may be missing, not both.
        metrics: what to compute, by qualified name.
        n: samples a seed.
        against: ``held-out`` or ``training``.
        features: how many the extractor makes of an image; 0 without one.
    """

    data: Split
    name: str
    extractor: FeatureExtractor | None
    modes: Modes | None
    metrics: dict[str, Metric]
    n: int
    against: str
    features: int = 0

    @property
    def cost(self) -> str:
        """What there is to wait for beyond the samples, in words; empty: nothing to speak of."""
        if self.features < MANY_FEATURES:
            return ""
        return (
            f"{self.features:,} features an image: the Fréchet distance of each seed follows its samples, and takes "
            "about half a minute for 2,000 features, eight times as long for twice as many"
        )


def choose_criteria(
    source: str,
    data: Split,
    zoo: Zoo,
    *,
    features: str = "",
    n: int | None = None,
    against: str = HELD_OUT,
    device: Device = "auto",
    noted: Callable[[str], None] = lambda message: None,
) -> Criteria:
    """Choose extractor and modes for the data that ``source`` names.

    Args:
        features: an extractor's name, or the path of a ``.onnx`` file; empty: the data set's, or ``OWN`` where it has
            neither that nor modes.
        n: samples a seed; None: as many as there are training images, at most ``SAMPLES``.
        device: where the extractor runs.
        noted: is given what there is to wait for, in one line.

    Raises:
        UsageError: the extractor is none that figures can be made with, or too few images were held out.
    """
    if against not in (HELD_OUT, TRAINING):
        raise UsageError(f"there are no {against!r} images", hint=f"choose {HELD_OUT} or {TRAINING}")
    real = data.held_out if against == HELD_OUT else data.training
    if real is None or len(real) < 2:
        raise UsageError(
            f"{source} has {len(real) if real else 'no'} {against} image{'s' * (not real)} to evaluate by",
            hint="hold more out when training: --set held_out=0.2; or eval --against training, which rewards copies",
        )
    n = min(SAMPLES, len(data.training)) if n is None else n
    if n < 2:
        raise UsageError(f"{n} samples are too few to evaluate", hint="ask for more: -n 1000")
    dataset = named(source, zoo)
    modes: Modes | None = load_target(dataset.modes) if dataset and dataset.modes else None
    reference = features or (dataset.extractor if dataset else "") or (OWN if modes is None else "")
    images = data.training
    extractor = None
    if reference:
        extractor = open_extractor(
            reference, zoo, device=device, threads=1, size=images.shape.height, images=images, noted=noted
        )
        extractor.check(images.shape)
    made = try_extractor(extractor, images) if extractor else 0
    return Criteria(
        data=data,
        name=source if dataset else Path(source).name,
        extractor=extractor,
        modes=modes,
        metrics=zoo.metrics(),
        n=n,
        against=against,
        features=made,
    )
