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
from ganzoo.errors import GanzooError, TrainingStopped
from ganzoo.evaluation.evaluate import Evaluator
from ganzoo.observer import Observer
from ganzoo.records.best import Ranking
from ganzoo.records.evaluation import attached, keys
from ganzoo.records.outcome import Outcome
from ganzoo.records.result import TrainResult
from ganzoo.records.run import Run
from ganzoo.training import loop
from ganzoo.training.evaluating import Evaluating
from ganzoo.training.loop import run_to_end
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo
from ganzoo_registry import Registry, RegistryError

Train = Callable[..., TrainResult]


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[float]], None]:
    """``scores([3, 1, 2])``: what the evaluations of a run find, one after another."""

    def give(values: list[float]) -> None:
        left = iter(values)
        monkeypatch.setattr(
            Evaluator, "figures", lambda self, source: {"fd": next(left), "seen": float(source(0, 1)[0].size)}
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
    assert "fd" in json.loads(lines[0])["figures"]
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
    assert str(result.best) == "vanilla:1"
    assert str(result.version) == "vanilla:2"


def test_modes_rank_where_there_are_no_features() -> None:
    ranking = Ranking("", zoo().figures())
    assert ranking.place({"fd": 2.0, "modes": 25.0, "good": 1.0}) == (2.0,)
    better = [{"modes": 25.0, "good": 0.9}, {"modes": 25.0, "good": 0.1}, {"modes": 24.0, "good": 1.0}]
    places = [ranking.place(figures) for figures in better]
    assert None not in places
    assert places == sorted(filter(None, places))
    assert ranking.place({"modes": 0.0, "good": 0.0}) is ranking.place({}) is None


def test_what_found_nothing_is_never_the_best(train: Train, own_registry: Path) -> None:
    result = train("vanilla", data="dots", steps=2, eval_every=1)
    assert result.best is None
    assert [str(version) for version in Registry(own_registry).versions("vanilla")] == ["vanilla:1"]
    assert list((result.run / "checkpoints").glob("best-*")) == []


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


def stopping_at(monkeypatch: pytest.MonkeyPatch, where: int) -> None:
    stepped = Observer.stepped

    def stop(self: Observer, step: int) -> None:
        if step == where:
            signal.raise_signal(signal.SIGTERM)
        stepped(self, step)

    monkeypatch.setattr(Observer, "stepped", stop)


def test_who_is_asked_to_stop_evaluates_when_the_run_goes_on(
    train: Train, scores: Callable[[list[float]], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scores([])
    stopping_at(monkeypatch, 2)
    with pytest.raises(TrainingStopped):
        train("vanilla", steps=4, eval_every=2)
    assert not (tmp_path / "runs" / "vanilla" / "1" / "evaluations.jsonl").exists()
    monkeypatch.setattr(Observer, "stepped", lambda self, step: None)
    scores([1.0, 2.0])
    result = train("vanilla", resume="last")
    lines = (result.run / "evaluations.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 4]
    assert str(result.best) == "vanilla:1"


def test_a_shortened_run_has_the_best_of_what_is_left(
    train: Train, own_registry: Path, scores: Callable[[list[float]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after its best step, with an older checkpoint, and told to end before that step."""
    scores([2.0, 1.0])
    stopping_at(monkeypatch, 5)
    with pytest.raises(TrainingStopped):
        train("vanilla", steps=8, eval_every=2, checkpoint_every=3)
    run = Run.find("last", own_registry.parent / "runs")
    run.checkpoint_path(5).unlink()
    assert list(run.best_checkpoints()) == [4]
    monkeypatch.setattr(Observer, "stepped", lambda self, step: None)
    scores([3.0])
    result = train("vanilla", resume="last", steps=4)
    assert result.best is None
    assert list(run.best_checkpoints()) == []


def test_lost_best_weights_are_told_and_do_not_hinder(
    train: Train, scores: Callable[[list[float]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores([1.0, 2.0])
    noted: list[str] = []
    monkeypatch.setattr(Observer, "noted", lambda self, message: noted.append(message))

    def losing(trainer: Trainer, run: Run, observer: Observer, judge: Evaluating) -> Outcome:
        ending = run_to_end(trainer, run, observer, judge)
        for path in run.best_checkpoints().values():
            path.write_bytes(b"damaged")
        return ending

    monkeypatch.setattr("ganzoo.pipeline.session.run_to_end", losing)
    result = train("vanilla", steps=4, eval_every=2)
    assert (str(result.version), result.best) == ("vanilla:1", None)
    assert any("the weights of step 2, which evaluated best, are lost" in message for message in noted)


def test_a_recovery_does_not_cost_the_best_before_it(
    train: Train, own_registry: Path, scores: Callable[[list[float]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step 8 is better than step 4 until step 10 goes wrong and the run goes back to 6: then 4 is the best again."""
    scores([3.0, 1.0, 4.0, 5.0])
    bad = iter([10])
    look = loop.bad_number  # type: ignore[attr-defined]
    at = next(bad)

    def once(trainer: Trainer, *, weights: bool) -> str | None:
        nonlocal at
        if trainer.steps_done == at:
            at = next(bad, -1)
            return "something is not a finite number"
        return look(trainer, weights=weights)

    monkeypatch.setattr(loop, "bad_number", once)
    result = train("vanilla", steps=12, eval_every=4, checkpoint_every=6)
    store = Registry(own_registry)
    assert result.best
    record, last = store.lineage(result.best), store.lineage(result.version)
    assert record["training"]["steps"] == 4
    assert record["training"]["events"] == []
    assert [event["step"] for event in last["training"]["events"]] == [7]


def test_what_ends_while_the_best_is_registered_ended_at_the_last_step(
    train: Train, tmp_path: Path, scores: Callable[[list[float]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores([1.0, 2.0])

    def full(*_: Any) -> None:
        raise RegistryError("the disk is full")

    monkeypatch.setattr(Registry, "register", full)
    with pytest.raises(RegistryError) as caught:
        train("vanilla", steps=4, eval_every=2)
    run = tmp_path / "runs/vanilla/1"
    assert json.loads((run / "outcome.json").read_text())["step"] == 4
    assert f"then: ganzoo train --resume {run}" in str(caught.value.hint)


@pytest.mark.parametrize("before", [True, False], ids=["an older one", "none"])
def test_what_neither_a_checkpoint_nor_the_registry_took_is_called_lost(
    before: bool, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that holds both."""

    def full(*_: Any, **__: Any) -> None:
        raise RegistryError("the disk is full", hint="free some space")

    def late(path: Path, data: bytes) -> None:
        if before and path.name.endswith("0002.safetensors"):
            path.write_bytes(data)
            return
        raise GanzooError("the disk is full")

    monkeypatch.setattr(Registry, "register", full)
    monkeypatch.setattr("ganzoo.training.saving.write_atomic", late)
    monkeypatch.setattr("ganzoo.pipeline.registering.write_atomic", late)
    with pytest.raises(RegistryError) as caught:
        train("vanilla", steps=4, checkpoint_every=2)
    hint = str(caught.value.hint)
    assert hint.startswith("free some space; there was no room for a checkpoint, either: ")
    assert hint.endswith("what was trained is lost") != before
    assert ("0002.safetensors are lost; then: ganzoo train --resume" in hint) == before


def test_a_figure_that_never_comes_is_told_of(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights will be the best by it, and no patience will be over."""
    noted: list[str] = []
    monkeypatch.setattr(Observer, "noted", lambda self, message: noted.append(message))
    for best in ("accuracy", "modes,good"):
        result = train("vanilla", steps=4, eval_every=2, best=best)
        assert result.best is None
    said = [message for message in noted if "no weights will be the best" in message]
    assert said == [
        f"evaluations of this training have no {name}: no weights will be the best" for name in ("accuracy", "modes")
    ]


def test_missing_best_weights_are_called_missing(
    train: Train, tmp_path: Path, scores: Callable[[list[float]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores([1.0, 2.0])
    result = train("vanilla", steps=4, eval_every=2)
    Run.find(str(result.run), tmp_path).best_path(2).unlink()
    noted: list[str] = []
    monkeypatch.setattr(Observer, "noted", lambda self, message: noted.append(message))
    train("vanilla", resume="last")
    assert [message.endswith("best-00000002.safetensors is missing") for message in noted] == [False, True]
    assert noted[0].startswith("the run is finished: all of its 4 steps are done")


def test_an_evaluation_that_cannot_be_recorded_does_not_end_training(
    train: Train, scores: Callable[[list[float]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores([1.0, 2.0])
    noted: list[str] = []

    def full(*_: Any) -> None:
        raise GanzooError("the disk is full")

    monkeypatch.setattr(Run, "record_evaluation", full)
    monkeypatch.setattr(Observer, "noted", lambda self, message: noted.append(message))
    assert train("vanilla", steps=4, eval_every=2).best is None
    assert noted == ["the disk is full; training goes on without it"] * 2


def test_evaluations_of_two_protocols_are_not_ranked_together(
    train: Train, own_registry: Path, scores: Callable[[list[float]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores([1.0])
    stopping_at(monkeypatch, 3)
    with pytest.raises(TrainingStopped):
        train("vanilla", steps=4, eval_every=2)
    run = Run.find("last", own_registry.parent / "runs")
    run.evaluation_log.write_text(run.evaluation_log.read_text().replace('"protocol": "', '"protocol": "f'))
    monkeypatch.setattr(Observer, "stepped", lambda self, step: None)
    scores([5.0])
    result = train("vanilla", resume="last")
    assert result.best == result.version


def test_every_version_has_figures(tmp_path: Path, own_registry: Path) -> None:
    settings = {"steps": 4, "eval_every": 2, "batch": 8, "device": "cpu", "options": {"width": 8}}
    seen: list[tuple[int, list[str]]] = []

    class Watch(Observer):
        def evaluated(self, run: Any, step: int, figures: dict[str, float]) -> None:
            seen.append((step, sorted(figures)))

    result = api.train("vanilla", settings=settings, runs=tmp_path / "runs", observer=Watch())
    assert [step for step, _ in seen] == [2, 4]
    assert "recall" in seen[0][1]
    store = Registry(own_registry)
    assert set(result.evaluations) == {str(version) for version in (result.best, result.version)}
    for name, evaluation in result.evaluations.items():
        version = store.resolve(name)
        assert [attached(store, version, key) for key in keys(store, version)] == [evaluation]
        assert len(evaluation.protocol.seeds) == 5
    # The exported file and the weights in training are judged alike, but for rounding.
    last = json.loads((result.run / "evaluations.jsonl").read_text().splitlines()[-1])
    assert last["figures"]["fd"] == pytest.approx(
        result.evaluations[str(result.version)].figures["fd"].values[0], rel=1e-3
    )


def test_images_without_an_extractor_get_one_of_their_own(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    monkeypatch.setattr("ganzoo_plugins.own.making.STEPS", 3)
    np.save(tmp_path / "own.npy", np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8))
    result = train("vanilla", data=str(tmp_path / "own.npy"), eval_every=2, steps=2)
    assert result.best
    last = json.loads((result.run / "evaluations.jsonl").read_text().splitlines()[-1])
    assert {"fd", "mind", "copying"} <= last["figures"].keys()
    assert len(list((tmp_path / "cache/extractors").glob("own-*/*.onnx"))) == 1
    assert train("vanilla", data=str(tmp_path / "own.npy"), eval_every=2, features="digits", steps=2).best
