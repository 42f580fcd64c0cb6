"""Data sets, readers and metrics that break the contract in one way each, and fail in that check."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ganzoo import Dataset, Metric, Reader
from ganzoo.data import ImageSet
from ganzoo.testing.running import Outcome, Result
from ganzoo.zoo.installed import Plugin

ResultOf = Callable[..., Result]


def _images(stream: Any, classes: int = 2) -> ImageSet:
    return ImageSet(
        pixels=stream.integers(0, 256, (20, 1, 8, 8), np.uint8),
        labels=np.arange(20) % 2,
        class_names=tuple("abc"[:classes]),
    )


def sound() -> ImageSet:
    return _images(np.random.default_rng(0))


def other() -> ImageSet:
    return _images(np.random.default_rng(1))


def unsteady() -> ImageSet:
    return _images(np.random.default_rng())


def a_class_too_many() -> ImageSet:
    return _images(np.random.default_rng(0), classes=3)


def black() -> ImageSet:
    return ImageSet(pixels=np.zeros((20, 1, 8, 8), np.uint8))


class Modes:
    count = 2

    def assign(self, pixels: Any) -> Any:
        return np.full(len(pixels), -1)


NO_MODES = Modes()


def beyond_bounds(evidence: Any) -> dict[str, float]:
    return {"trap": 2.0}


def undeclared(evidence: Any) -> dict[str, float]:
    return {"tarp": 0.5}


def silent(evidence: Any) -> dict[str, float]:
    return {}


def fragile(evidence: Any) -> dict[str, float]:
    return {"trap": float(evidence.fake.moments.mean[0] * 0)}


def crashing_reader(path: Any) -> Any:
    return path.nothing


def target(made: Callable[..., Any] | str) -> str:
    return f"{__name__}:{made if isinstance(made, str) else made.__name__}"


DATASETS = {
    "other images each time": ("images of the set", {"target": target(unsteady)}, "are others each time"),
    "one image": ("images of the set", {"target": target(black)}, "all 20 training images are the same"),
    "an empty class": ("images of the set", {"target": target(a_class_too_many)}, "some of its 3 classes"),
    "a leak": ("images of the set", {"target": target(sound), "held_out": target(sound)}, "100% of its held-out"),
    "no such extractor": ("images of the set", {"target": target(sound), "extractor": "nowhere"}, "nowhere"),
    "modes of nothing": ("modes", {"target": target(sound), "modes": target("NO_MODES")}, "only 0%"),
}


@pytest.mark.parametrize(("check", "fields", "reason"), DATASETS.values(), ids=DATASETS)
def test_a_data_set(
    plug: Callable[..., Plugin], result_of: ResultOf, check: str, fields: dict[str, Any], reason: str
) -> None:
    spec = Dataset(name="trap", **fields)
    result = result_of(plug(spec), check, spec)
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


def test_a_sound_data_set(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = Dataset(name="trap", target=target(sound), held_out=target(other))
    result = result_of(plug(spec), "images of the set", spec)
    assert result.reason == "20 1x8x8, 2 classes, 20 held out"
    assert result_of(plug(spec), "modes", spec).outcome is Outcome.NOT_RUN


METRICS = {
    "out of bounds": (beyond_bounds, "trap is 2, and its bounds are 0 and 1"),
    "undeclared": (undeclared, "not finite numbers for"),
    "nothing": (silent, "it gives none of trap"),
    "no features": (fragile, "AttributeError"),
}


@pytest.mark.parametrize(("metric", "reason"), METRICS.values(), ids=METRICS)
def test_a_metric(plug: Callable[..., Plugin], result_of: ResultOf, metric: Callable[..., Any], reason: str) -> None:
    spec = Metric(name="trap", target=target(metric), figures={"trap": ""}, bounds={"trap": (0.0, 1.0)})
    result = result_of(plug(spec), "figures", spec)
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


def test_a_reader(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = Reader(name="trap", target=target(crashing_reader), files=("*.trap",))
    result = result_of(plug(spec), "damage", spec)
    assert result.outcome is Outcome.FAIL
    assert "AttributeError" in result.reason
