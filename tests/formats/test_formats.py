"""What earlier versions of ganzoo left on disk is read, and gone on with.

``files/`` was made by the commit before the modules found their places (5b4e7d4), on a CPU in fp32:

    ganzoo train --model vanilla --name old --steps 4 --eval-every 2 --set options.width=2 --set options.latent_dim=3 \
        --set batch=8 --set checkpoint_every=2 --set report_every=2 --set preview_every=2 --set threads=1
    ganzoo data pack pictures.npz packed.npy
    ganzoo sample old -n 4 --seed 7 -o samples.npy
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import ganzoo
from ganzoo import api
from ganzoo.cli import main
from ganzoo.data import load
from ganzoo.pipeline.draft import draft_resumed
from ganzoo.pipeline.session import Session
from ganzoo.records.evaluation import attached
from ganzoo.records.run import Run
from ganzoo.training import checkpoint
from ganzoo.zoo.names import zoo

FILES = Path(__file__).parent / "files"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files, whose registry is the one in use."""
    shutil.copytree(FILES, tmp_path / "place")
    monkeypatch.setenv("GANZOO_REGISTRY", str(tmp_path / "place" / "registry"))
    (tmp_path / "place" / "runs").mkdir()
    (tmp_path / "place" / "run").rename(tmp_path / "place" / "runs" / "1")
    return tmp_path / "place"


@pytest.mark.parametrize("name", ["step-00000002", "step-00000004", "best-00000004"])
def test_a_checkpoint_goes_back_into_its_trainer(place: Path, name: str) -> None:
    run = Run.find("1", place / "runs")
    session = Session(api.open_registry(), place / "runs")
    trainer = session.plan(draft_resumed(run, None, {})).trainer
    path = run.directory / "checkpoints" / f"{name}.safetensors"
    checkpoint.read(trainer, path)
    assert trainer.steps_done == int(name[-1])
    stored = load_file(path)
    for network, module in trainer.modules().items():
        for key, value in module.state_dict().items():
            assert torch.equal(value, stored[f"{network}.{key}"])
    for network, optimization in trainer.optimizations.items():
        moments = optimization.moments()
        assert {f"adam.{network}.{key}" for key in moments} == {k for k in stored if k.startswith(f"adam.{network}.")}
        assert all(torch.equal(value, stored[f"adam.{network}.{key}"]) for key, value in moments.items())


def test_what_is_saved_now_is_what_was_saved_then(place: Path) -> None:
    """The same names, shapes and types of tensors, and the same header."""
    run = Run.find("1", place / "runs")
    trainer = Session(api.open_registry(), place / "runs").plan(draft_resumed(run, None, {})).trainer
    path = run.checkpoint_path(4)
    checkpoint.read(trainer, path)
    checkpoint.write(trainer, place / "again-00000004.safetensors")
    assert (place / "again-00000004.safetensors").read_bytes() == path.read_bytes()


def test_a_run_goes_on_from_where_it_was(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = place / "runs" / "1"
    assert main(["train", "--resume", str(run), "--steps", "6", "--no-export", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["version"] == "old:2"
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert steps == [2, 4, 6]
    evaluated = [json.loads(line) for line in (run / "evaluations.jsonl").read_text("utf-8").splitlines()]
    old, new = evaluated[0]["protocol"], evaluated[-1]["protocol"]  # figures are made otherwise since
    assert [(line["step"], line["protocol"]) for line in evaluated] == [(2, old), (4, old), (4, new), (6, new)]
    assert old != new


def test_what_a_run_recorded_is_read(place: Path) -> None:
    run = Run.find("1", place / "runs")
    assert [line["step"] for line in run.reports()] == [2, 4]
    assert list(run.samples()) == [2, 4]
    outcome = run.outcome()
    assert outcome is not None
    assert (outcome.state, outcome.step, outcome.versions) == ("finished", 4, {"last": "old:1"})
    assert "old:1" in api.report([str(run.directory)]).read_text("utf-8")


def test_a_versions_figures_stay_beside_those_of_today(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are read and listed, by the key of their own protocol, but not taken for figures of today's."""
    (old,) = (path for path in (place / "registry/models/old/attachments/1").glob("eval-*"))
    before, key = old.read_bytes(), old.name.removeprefix("eval-")
    store = api.open_registry()
    stored = attached(store, store.resolve("old"), key)
    assert stored is not None
    assert (stored.protocol.key, stored.protocol.pipeline) == (key, 1)
    found = ganzoo.evaluate(["old"], device="cpu")["old:1"]
    assert found.protocol == replace(stored.protocol, pipeline=2)
    assert found.figures.keys() >= stored.figures.keys()
    assert found.figures["fd"].mean == pytest.approx(stored.figures["fd"].mean, rel=1e-4)  # it takes no labels
    assert old.read_bytes() == before
    assert main(["registry", "ls", "old", "--sort"]) == 0
    header = capsys.readouterr().out.splitlines()[0]
    assert f"FD ({key})" in header
    assert f"FD ({found.protocol.key})" in header


def test_a_version_is_exported_anew(place: Path) -> None:
    assert len(ganzoo.export("old", output=place / "new.onnx", force=True).report) == 5


@pytest.mark.parametrize("reference", ["old", "old:1", "generator.onnx"])
def test_images_are_what_they_were(place: Path, monkeypatch: pytest.MonkeyPatch, reference: str) -> None:
    monkeypatch.chdir(place)
    images = ganzoo.load(reference, device="cpu").sample(4, 7).astype(int)
    assert np.abs(images - np.load("samples.npy")).max() <= 1


def test_a_packed_set_is_read() -> None:
    parts = load(str(FILES / "packed.npy"), zoo())
    assert parts.held_out is not None
    assert (len(parts.training), len(parts.held_out)) == (18, 2)
    assert parts.training.class_names == ("0", "1")
