"""Evaluation during training: it disturbs nothing, and the best weights are kept."""

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as load_tensors

from ganzoo import api
from ganzoo.errors import TrainingStopped, UsageError
from ganzoo.evaluation.evaluate import Evaluator
from ganzoo.evaluation.record import attached
from ganzoo.quality import rank
from ganzoo.session import TrainResult
from ganzoo.training.loop import Observer
from ganzoo_registry import Registry

Train = Callable[..., TrainResult]


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[float]], None]:
    """``scores([3, 1, 2])``: what the evaluations of a run find, one after another."""

    def give(values: list[float]) -> None:
        left = iter(values)
        monkeypatch.setattr(
            Evaluator, "judge", lambda self, source: {"fd": next(left), "seen": float(source(0, 1)[0].size)}
        )

    return give


def weights(store: Registry, version: Any, kind: str = "generator-ema") -> dict[str, torch.Tensor]:
    return load_tensors(store.read(version, kind))


def test_evaluating_changes_no_weight(train: Train, own_registry: Path) -> None:
    plain = train("dcgan", steps=6, name="plain")
    judged = train("dcgan", steps=6, eval_every=2, name="judged")
    store = Registry(own_registry)
    for kind in ("generator", "discriminator", "generator-ema"):
        assert store.kinds(plain.version)[kind] == store.kinds(judged.version)[kind]
    lines = (judged.run / "evaluations.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 4, 6]
    assert "fd" in json.loads(lines[0])
    assert not (plain.run / "evaluations.jsonl").exists()
    assert plain.best is None


def test_the_best_weights_become_a_version_before_the_last(
    train: Train, own_registry: Path, scores: Callable[[list[float]], None]
) -> None:
    scores([3.0, 1.0, 2.0])
    result = train("vanilla", steps=6, eval_every=2)
    assert (str(result.best), str(result.version)) == ("vanilla:1", "vanilla:2")
    stopped_there = train("vanilla", steps=4, name="stopped")
    store = Registry(own_registry)
    assert result.best
    for kind in ("generator", "discriminator", "generator-ema"):
        assert store.kinds(result.best)[kind] == store.kinds(stopped_there.version)[kind]
    best, last = store.lineage(result.best), store.lineage(result.version)
    assert (best["training"]["steps"], best["config"]["steps"]) == (4, 4)
    assert (last["training"]["steps"], last["config"]["steps"]) == (6, 6)


def test_the_last_may_be_the_best(train: Train, own_registry: Path, scores: Callable[[list[float]], None]) -> None:
    scores([3.0, 2.0])
    result = train("vanilla", steps=4, eval_every=2)
    assert result.best == result.version
    assert [str(version) for version in Registry(own_registry).versions("vanilla")] == ["vanilla:1"]


def test_of_equals_the_first_is_the_best(train: Train, scores: Callable[[list[float]], None]) -> None:
    scores([2.0, 2.0])
    result = train("vanilla", steps=4, eval_every=2)
    assert rank({"fd": 2.0, "reverse_kl": 1.0}) == 2.0
    assert str(result.best) == "vanilla:1"
    assert str(result.version) == "vanilla:2"


def test_modes_rank_where_there_are_no_features() -> None:
    assert rank({"modes": 3.0, "reverse_kl": 0.5}) == 0.5
    assert rank({"modes": 3.0}) == float("inf")


def test_a_stopped_run_goes_on_with_the_best_that_it_had(
    train: Train, own_registry: Path, scores: Callable[[list[float]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores([5.0, 1.0, 3.0, 2.0])
    whole = train("vanilla", steps=8, eval_every=2, name="whole")
    scores([5.0, 1.0])
    stepped = Observer.stepped

    def stop_at_five(self: Observer, step: int) -> None:
        if step == 5:
            signal.raise_signal(signal.SIGTERM)
        stepped(self, step)

    monkeypatch.setattr(Observer, "stepped", stop_at_five)
    with pytest.raises(TrainingStopped):
        train("vanilla", steps=8, eval_every=2, name="parts")
    scores([3.0, 2.0])
    parts = train("vanilla", resume="parts/1")
    store = Registry(own_registry)
    assert whole.best
    assert parts.best
    assert whole.best != whole.version
    for one, other in ((whole.best, parts.best), (whole.version, parts.version)):
        assert store.kinds(one)["generator-ema"] == store.kinds(other)["generator-ema"]
    same = [(run.run / "evaluations.jsonl").read_text() for run in (whole, parts)]
    assert same[0] == same[1]


def test_every_version_has_figures(tmp_path: Path, own_registry: Path) -> None:
    settings = {"steps": 4, "eval_every": 2, "batch": 8, "device": "cpu", "options": {"width": 8}}
    seen: list[tuple[int, list[str]]] = []

    class Watch(Observer):
        def judged(self, run: Any, step: int, figures: dict[str, float]) -> None:
            seen.append((step, sorted(figures)))

    result = api.train("vanilla", settings=settings, runs=tmp_path / "runs", observer=Watch())
    assert [step for step, _ in seen] == [2, 4]
    assert "recall" in seen[0][1]
    store = Registry(own_registry)
    assert set(result.evaluations) == {str(version) for version in (result.best, result.version)}
    for name, evaluation in result.evaluations.items():
        assert attached(store, store.resolve(name)) == [evaluation]
        assert len(evaluation.protocol.seeds) == 5
    # The exported file and the weights in training are judged alike, but for rounding.
    last = json.loads((result.run / "evaluations.jsonl").read_text().splitlines()[-1])
    assert last["fd"] == pytest.approx(result.evaluations[str(result.version)].figures["fd"].values[0], rel=1e-3)


def test_images_without_an_extractor_are_refused_before_the_first_step(train: Train, tmp_path: Path) -> None:
    import numpy as np

    np.save(tmp_path / "own.npy", np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8))
    with pytest.raises(UsageError, match="there is no extractor"):
        train("vanilla", data=str(tmp_path / "own.npy"), eval_every=2)
    assert not (tmp_path / "runs").exists()
    assert train("vanilla", data=str(tmp_path / "own.npy"), eval_every=2, features="digits", steps=2).best
