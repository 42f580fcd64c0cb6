"""Data sets, readers and metrics that break the contract in one way each, and fail in that check."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import OpenerDirector

import numpy as np
import pytest

from ganzoo import Dataset, Extractor, Metric, Reader
from ganzoo.data import EncodedImages, ImageSet
from ganzoo.data.fetch import fetch
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


def reader_of_nothing(path: Any) -> Any:
    return None


def reader_of_files(path: Any) -> Any:
    return EncodedImages(names=["rubbish"], read=lambda index: path.read_bytes())


WEIGHTS = b"weights"


def built_of_weights(place: Path) -> None:
    place.write_bytes(_fetched("weights/all"))


def of_weights() -> ImageSet:
    assert _fetched("weights/all") == WEIGHTS
    return sound()


def _fetched(name: str) -> bytes:
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    return fetch(name, size=len(WEIGHTS), sha256=digest, urls=["http://localhost/all"]).read_bytes()


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


def one_of_ours(evidence: Any) -> dict[str, float]:
    return {"trap": 0.5, "fd": 1.0}


@pytest.mark.parametrize(("metric", "reason"), METRICS.values(), ids=METRICS)
def test_a_metric(plug: Callable[..., Plugin], result_of: ResultOf, metric: Callable[..., Any], reason: str) -> None:
    spec = Metric(name="trap", target=target(metric), figures={"trap": ""}, bounds={"trap": (0.0, 1.0)})
    result = result_of(plug(spec), "figures", spec)
    assert result.outcome is Outcome.FAIL
    assert reason in result.reason


def test_a_figure_that_a_built_in_gives(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = Metric(name="trap", target=target(one_of_ours), figures={"trap": "", "fd": ""})
    result = result_of(plug(spec), "figures", spec)
    assert result.outcome is Outcome.FAIL
    assert result.reason.startswith("metric ganzoo/frechet gives 'fd', too, so this one is left out")


READERS = {
    "a bug": (crashing_reader, Outcome.FAIL, "AttributeError"),
    "nothing": (reader_of_nothing, Outcome.FAIL, "*.trap: it returned NoneType, not a ganzoo.data.ImageSet"),
    "files": (reader_of_files, Outcome.PASS, "*.trap: taken"),
}


@pytest.mark.parametrize(("reader", "outcome", "reason"), READERS.values(), ids=READERS)
def test_a_reader(
    plug: Callable[..., Plugin], result_of: ResultOf, reader: Callable[..., Any], outcome: Outcome, reason: str
) -> None:
    spec = Reader(name="trap", target=target(reader), files=("*.trap",))
    result = result_of(plug(spec), "damage", spec)
    assert result.outcome is outcome
    assert reason in result.reason


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own; nothing can be downloaded."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something is downloaded")

    monkeypatch.setattr(OpenerDirector, "open", refuse)
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "own"))
    return tmp_path / "own"


OF_WEIGHTS = {
    "features": Extractor(name="trap", builder=target(built_of_weights), sha256="0" * 64),
    "images of the set": Dataset(name="trap", target=target(of_weights)),
}


@pytest.mark.parametrize("check", OF_WEIGHTS)
def test_nothing_is_downloaded_or_written(
    plug: Callable[..., Plugin], result_of: ResultOf, cache: Path, check: str
) -> None:
    spec = OF_WEIGHTS[check]
    result = result_of(plug(spec), check, spec)
    assert result.outcome is Outcome.NOT_RUN
    assert "weights/all" in result.reason
    assert not cache.exists()


@pytest.mark.parametrize(
    ("check", "outcome", "reason"),
    [("features", Outcome.FAIL, "extractor trap"), ("images of the set", Outcome.PASS, "20 1x8x8")],
)
def test_what_was_downloaded_is_used(
    plug: Callable[..., Plugin], result_of: ResultOf, cache: Path, check: str, outcome: Outcome, reason: str
) -> None:
    (cache / "weights").mkdir(parents=True)
    (cache / "weights" / "all").write_bytes(WEIGHTS)
    spec = OF_WEIGHTS[check]
    result = result_of(plug(spec), check, spec)
    assert result.outcome is outcome  # weights are no ONNX file
    assert reason in result.reason
    assert [path.name for path in cache.rglob("*")] == ["weights", "all"]
