"""Each trick resumes to the byte, is compiled, and depends on no shares; on two ranks: tests/distributed."""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ganzoo import api
from ganzoo.pipeline.draft import draft_new
from ganzoo.pipeline.session import Session
from ganzoo.training import checkpoint, shares, trainer as training
from ganzoo.training.ranks import ALONE, Ranks
from ganzoo.training.trainer import Trainer
from tests.training.test_executors import AotEager

TRICKS = [
    "clipping",
    "dragan",
    "bcr",
    "lecam",
    "ada",
    "observed",
    "annealed-r1",
    "orthogonal",
    "path-length",
    "truncation",
    "coded",
    "schedules",
    "moments",
    "patches",
    "frozen",
    "mode-seeking",
]
SITE = Path(__file__).parent / "site"
SMALL = {"batch": 8, "device": "cpu", "precision": "fp32", "threads": 1, "steps": 10}


def plan(home: Path, model: str, ranks: Ranks = ALONE, **settings: Any) -> Trainer:
    store = api.open_registry(home / "registry")
    draft = draft_new(store, model, {**SMALL, **settings})
    return Session(store, home / "runs", ranks=ranks).plan(draft).trainer


@pytest.mark.parametrize("model", TRICKS)
def test_it_resumes_to_the_byte(tricks: Path, model: str, tmp_path: Path) -> None:
    """And rolls back: what a checkpoint puts into another trainer is all that the next steps depend on."""
    whole = plan(tmp_path, model)
    for _ in range(4):
        whole.step()
    middle = checkpoint.encode(checkpoint.take(whole))
    snapshot = checkpoint.take(whole)
    for _ in range(4):
        whole.step()
    end = checkpoint.encode(checkpoint.take(whole))
    assert middle != end
    other = plan(tmp_path, model)
    other.step()
    checkpoint.put_back(other, snapshot, "a checkpoint")
    assert checkpoint.encode(checkpoint.take(other)) == middle
    for _ in range(4):
        other.step()
    assert checkpoint.encode(checkpoint.take(other)) == end
    checkpoint.put_back(whole, snapshot, "a rollback")
    for _ in range(4):
        whole.step()
    assert checkpoint.encode(checkpoint.take(whole)) == end


@pytest.mark.parametrize("model", TRICKS)
def test_it_is_traced_to_the_bit(tricks: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "EXECUTORS", {"compile": AotEager})
    traced, eager = plan(tmp_path, model, executor="compile"), plan(tmp_path, model)
    notes: list[str] = []
    traced.prepare(notes.append)
    assert notes == []
    assert isinstance(traced._executor, AotEager)
    for _ in range(3):
        traced.step()
        eager.step()
    one, other = checkpoint.take(traced).tensors, checkpoint.take(eager).tensors
    assert all(torch.equal(one[key], other[key]) for key in other)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("model", TRICKS)
def test_it_trains_in_half_precision(tricks: Path, model: str, precision: str, tmp_path: Path) -> None:
    made = plan(tmp_path, model, precision=precision)
    before = {key: value.clone() for key, value in made.generator.named_parameters()}
    for _ in range(4):
        made.step()
    assert made.telemetry.bad_step() is None
    assert all(value.isfinite().all() for value in made.generator.parameters())
    assert any(not torch.equal(value, before[key]) for key, value in made.generator.named_parameters())


@pytest.mark.parametrize("model", TRICKS)
def test_its_shares_are_measured_and_right(tricks: Path, model: str, tmp_path: Path) -> None:
    made = plan(tmp_path, model)
    few = made.batches.draw(0, 0).map(lambda tensor: tensor[:4])
    assert shares.coupling(made.objective, few, in_parts=False) is None


EXPORTED = {"clipping", "orthogonal", "path-length", "truncation", "coded", "mode-seeking"}
"""One model a generator; the other models share theirs."""


@pytest.mark.parametrize("model", sorted(EXPORTED))
def test_it_is_exported_and_sampled(tricks: Path, model: str, tmp_path: Path) -> None:
    settings = {**SMALL, "steps": 3}
    result = api.train(model, settings=settings, registry=tmp_path / "registry", runs=tmp_path / "runs")
    assert set(result.gates) >= {"parity"}
    generator = api.load(str(result.version), registry=tmp_path / "registry")
    pixels, _ = generator.pixels(seed=0, n=8)
    assert pixels.shape == (8, 1, 8, 8)


def test_every_generator_is_exported() -> None:
    sys.path.insert(0, str(SITE))
    try:
        tricks = importlib.import_module("tricks")
    finally:
        sys.path.remove(str(SITE))
    architectures = {model.name: model.architecture for model in tricks.models()}
    generators = {name: tricks.NETWORKS[architecture][0] for name, architecture in architectures.items()}
    assert {generators[name] for name in EXPORTED} == set(generators.values())
    assert set(architectures) == set(TRICKS)


def test_truncation_and_a_code_are_chosen_when_sampling(tricks: Path, tmp_path: Path) -> None:
    """At 0 all images are the mean's; a code makes images alike in what the code decides, whatever z says."""

    def sampled(model: str, **controls: float) -> NDArray[np.uint8]:
        store = tmp_path / "registry"
        if not (store / "models" / model).exists():
            api.train(model, settings={**SMALL, "steps": 2}, registry=store, runs=tmp_path / "runs")
        return api.load(model, registry=store).pixels(seed=0, n=6, controls=controls)[0]

    mean = sampled("truncation", truncation=0.0)
    assert (mean == mean[:1]).all()
    full, half = sampled("truncation"), sampled("truncation", truncation=0.5)
    assert (full == sampled("truncation", truncation=1.0)).all()
    distances = [np.abs(each.astype(int) - mean).mean() for each in (half, full)]
    assert 0 < distances[0] < distances[1]
    by_z = sampled("coded")
    by_code = [sampled("coded", code=float(code)) for code in range(4)]
    assert (by_z == sampled("coded", code=-1.0)).all()
    for index, image in enumerate(by_z):
        assert sum((image == each[index]).all() for each in by_code) == 1, "z's own code is one of them"
