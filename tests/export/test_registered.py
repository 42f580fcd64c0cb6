"""Exporting a version of the registry: what is attached, what is written, and what is left alone."""

import hashlib
import json
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from ganzoo import api
from ganzoo.cli import main
from ganzoo.errors import ExitCode, GanzooError, IntegrityError, NotFoundError, PluginError, UsageError
from ganzoo.exporting import exporter
from ganzoo.exporting.rebuilding import rebuild
from ganzoo.latents import draw
from ganzoo.records.result import TrainResult
from ganzoo.runtime.card import GeneratorCard
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.zoo.names import zoo
from ganzoo_registry import Conflict, Corrupt, NotWritable, Registry

Trained = tuple[Path, TrainResult]
NAME = "conditional:1"


def opset(data: bytes) -> int:
    version: int = {entry.domain: entry.version for entry in onnx.load_from_string(data).opset_import}[""]
    return version


def attached(store: Registry) -> bytes:
    return store.read(store.resolve(NAME), "onnx")


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be converted in this test."""

    def refuse(*arguments: Any) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(exporter, "export", refuse)


def test_training_attaches_what_it_writes_and_the_report_has_every_gate(trained: Trained) -> None:
    root, result = trained
    assert result.onnx is not None
    assert attached(Registry(root)) == result.onnx.read_bytes()
    assert list(result.gates) == ["structure", "randomness", "signature", "parity", "independence"]


def test_the_card_says_what_a_server_must_know(trained: Trained) -> None:
    root, result = trained
    card = api.load(NAME, registry=root).card
    assert card.weights
    assert replace(card, weights=None) == GeneratorCard(
        name="conditional",
        version=1,
        digest=result.version.digest,
        latent_dim=6,
        channels=1,
        height=8,
        width=8,
        class_names=tuple("0123456789"),
    )


def test_the_file_samples_what_torch_makes_of_the_averaged_weights(trained: Trained) -> None:
    root, result = trained
    generator, card = rebuild(Registry(root), result.version)
    z, labels = draw(7, 0, 5, 6, 10)
    with torch.no_grad():
        wanted = generator(torch.from_numpy(z), torch.from_numpy(labels)).numpy()
    exported = api.load(NAME, registry=root, device="cpu")
    np.testing.assert_allclose(exported.run(z, labels), wanted, atol=1e-5)
    assert card == replace(exported.card, weights=None)


def test_a_second_export_copies_the_file_that_passed(store: Registry, tmp_path: Path, never: None) -> None:
    result = api.export(NAME, output=tmp_path / "copy.onnx", registry=store.root)
    assert (tmp_path / "copy.onnx").read_bytes() == attached(store)
    assert (str(result.version), result.path, dict(result.report)) == (NAME, tmp_path / "copy.onnx", {})
    assert api.export(NAME, registry=store.root).path is None


def test_another_opset_is_written_and_not_attached_unless_forced(store: Registry, tmp_path: Path) -> None:
    before = attached(store)
    result = api.export(NAME, output=tmp_path / "older.onnx", opset=18, registry=store.root)
    older = (tmp_path / "older.onnx").read_bytes()
    assert (opset(before), opset(older), len(result.report)) == (20, 18, 5)
    assert attached(store) == before
    with pytest.raises(Conflict) as caught:
        api.export(NAME, opset=18, registry=store.root)
    assert (str(caught.value), caught.value.hint) == (f"{NAME} has another onnx already", "replace it with --force")
    api.export(NAME, opset=18, registry=store.root, force=True)
    assert attached(store) == older
    assert ImageGenerator.from_bytes(older, device="cpu").sample(2, 7).shape == (2, 8, 8, 1)


def test_exporting_anew_gives_the_same_bytes(store: Registry, tmp_path: Path) -> None:
    before = attached(store)
    result = api.export(NAME, output=tmp_path / "again.onnx", registry=store.root, force=True)
    assert (tmp_path / "again.onnx").read_bytes() == attached(store) == before
    assert len(result.report) == 5


def test_a_failed_gate_writes_and_attaches_nothing(
    store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = attached(store)

    def refuse(*arguments: Any) -> None:
        raise GanzooError("conditional was not exported: gate parity: differs from torch by up to 1")

    monkeypatch.setattr(exporter, "export", refuse)
    with pytest.raises(GanzooError, match="gate parity"):
        api.export(NAME, output=tmp_path / "no.onnx", registry=store.root, force=True)
    assert attached(store) == before
    assert not (tmp_path / "no.onnx").exists()


def test_a_place_that_cannot_be_written_to(store: Registry, tmp_path: Path) -> None:
    with pytest.raises(GanzooError) as caught:
        api.export(NAME, output=tmp_path / "no" / "x.onnx", registry=store.root)
    assert str(caught.value) == (f"cannot write {tmp_path}/no/x.onnx: the directory {tmp_path}/no does not exist")
    assert caught.value.hint == f"make it first: mkdir -p {tmp_path}/no"


@pytest.mark.parametrize(
    ("output", "hint"),
    [
        ("gen", "-o gen.onnx"),
        ("gen.onnx.bak", "-o gen.onnx.bak.onnx"),
        ("gen.", "-o gen..onnx"),
        ("..", "-o conditional.onnx"),
        ("/dev/stdout", "-o conditional.onnx"),
        ("folder", "-o conditional.onnx"),
        ("folder.onnx", "-o conditional.onnx"),
    ],
)
def test_a_file_that_could_not_be_opened_is_not_written(
    store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, never: None, output: str, hint: str
) -> None:
    """It is refused before anything is converted, on the command line and in Python."""
    monkeypatch.chdir(tmp_path)
    for folder in ("folder", "folder.onnx"):
        (tmp_path / folder).mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=r"^cannot export to ") as caught:
        api.export(NAME, output=output, registry=store.root, force=True)
    assert caught.value.hint == hint
    assert main(["export", NAME, "--registry", str(store.root), "-o", output]) == ExitCode.USAGE
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("output", ["own.onnx", "own.ONNX", "./x.y.onnx", ".onnx", "-x.onnx"])
def test_what_is_printed_as_a_path_can_be_opened(
    store: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", NAME, "--registry", str(store.root), "-o", output]) == 0
    path = capsys.readouterr().out.removesuffix("\n")
    assert api.load(path, device="cpu").card.name == "conditional"


def test_a_registry_that_takes_nothing_costs_no_file(
    store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that passed is written; that it could not be attached is an error all the same."""

    def refuse(*arguments: Any, **options: Any) -> None:
        raise NotWritable("the registry is read-only")

    monkeypatch.setattr(Registry, "attach", refuse)
    with pytest.raises(NotWritable):
        api.export(NAME, output=tmp_path / "own.onnx", registry=store.root, force=True)
    assert api.load(tmp_path / "own.onnx", device="cpu").card.name == "conditional"


def test_an_export_that_is_killed_leaves_nothing_behind(
    store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing lies in a file while the gates run, so there is nothing to clear away."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before, lying = sorted(tmp_path.iterdir()), []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        lying.extend(sorted(tmp_path.iterdir()))
        return subprocess.CompletedProcess(command, 0, b'{"passed": {"parity": "said so"}}', b"")

    monkeypatch.setattr(subprocess, "run", run)
    api.export(NAME, registry=store.root, force=True)
    assert lying == before


def blob(store: Registry, kind: str) -> Path:
    return store.path(store.resolve(NAME), kind)


@pytest.mark.parametrize(("kind", "force"), [("generator-ema", True), ("onnx", False)])
def test_a_corrupted_blob_is_named_with_its_version(store: Registry, kind: str, force: bool) -> None:
    file = blob(store, kind)
    file.chmod(0o644)
    file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])
    with pytest.raises(Corrupt) as caught:
        api.export(NAME, registry=store.root, force=force)
    assert str(caught.value) == f"blob sha256:{file.name} of {NAME} ({kind}) is damaged: its bytes changed"
    assert caught.value.exit_code == ExitCode.INTEGRITY


def register(store: Registry, blobs: dict[str, bytes], **changed: Any) -> str:
    """A version like ``conditional:1`` with another description of its generator; returns the reference to it."""
    version = store.resolve(NAME)
    record = store.lineage(version)
    record["generator"].update(changed)
    kinds = {"generator-ema": store.read(version, "generator-ema"), **blobs}
    return str(store.register("other", kinds, json.loads(json.dumps(record))))


def test_a_version_whose_plugin_is_gone_or_left_out(store: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = register(store, {}, architecture="acme/wavenet")
    with pytest.raises(NotFoundError) as caught:
        api.export(reference, registry=store.root)
    assert str(caught.value) == "unknown architecture 'acme/wavenet'"
    monkeypatch.setenv("GANZOO_PLUGINS", "dcgan,losses,digits")
    zoo.cache_clear()
    try:
        with pytest.raises(PluginError) as refused:
            api.export(NAME, registry=store.root, force=True)
    finally:
        zoo.cache_clear()
    assert str(refused.value).startswith("architecture 'conditional' should come from plugin ganzoo/conditional")
    assert (refused.value.hint, refused.value.exit_code) == ("see: ganzoo plugins", ExitCode.PLUGIN)


@pytest.mark.parametrize(
    ("blobs", "changed", "message"),
    [
        ({"generator-ema": b"rubbish"}, {}, "other:1: not a safetensors file"),
        (
            {},
            {"class_names": ["a", "b"]},
            "other:1: is another model's: embedding.weight should be [2, 6], and is [10, 6]",
        ),
    ],
)
def test_weights_that_are_not_the_generators(
    store: Registry, blobs: dict[str, bytes], changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(IntegrityError) as caught:
        api.export(register(store, blobs, **changed), registry=store.root)
    assert str(caught.value).startswith(message)


# variants


def test_a_file_in_int8_is_attached_beside_the_one_in_fp32(store: Registry, never: None, tmp_path: Path) -> None:
    """It is made of that one: without torch, and without its generator."""
    result = api.export(NAME, int8=True, output=tmp_path / "int8.onnx", registry=store.root)
    assert list(result.report) == ["structure", "randomness", "signature", "fidelity", "independence"]
    data = store.read(store.resolve(NAME), "onnx-int8")
    assert (tmp_path / "int8.onnx").read_bytes() == data
    assert api.load(NAME, registry=store.root, int8=True).card.int8
    assert not api.load(NAME, registry=store.root).card.int8
    assert not api.export(NAME, int8=True, registry=store.root).report


def test_a_version_without_int8(store: Registry) -> None:
    with pytest.raises(NotFoundError, match=r"(?m)^conditional:1 has no ONNX file in int8 yet$") as caught:
        api.load(NAME, registry=store.root, int8=True)
    assert caught.value.hint == "ganzoo export conditional:1 --int8"


def test_pixels_are_for_a_file(store: Registry, never: None, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"(?m)^--uint8 makes a file for other programs, which needs a name$"):
        api.export(NAME, uint8=True, registry=store.root)
    result = api.export(NAME, uint8=True, output=tmp_path / "pixels.onnx", registry=store.root)
    assert "pixels" in result.report
    made = api.load(tmp_path / "pixels.onnx").sample(3, 5)
    assert np.array_equal(made, api.load(NAME, registry=store.root, device="cpu").sample(3, 5))
    assert not api.load(NAME, registry=store.root).card.uint8


def test_a_check_keeps_nothing(store: Registry) -> None:
    before = attached(store), dict(store.kinds(store.resolve(NAME)))
    result = api.export(NAME, int8=True, check=True, registry=store.root)
    assert "fidelity" in result.report
    assert (attached(store), dict(store.kinds(store.resolve(NAME)))) == before


def test_another_opset_is_for_the_file_alone_in_int8_too(store: Registry, tmp_path: Path) -> None:
    one, other = tmp_path / "18.onnx", tmp_path / "20.onnx"
    api.export(NAME, int8=True, opset=18, output=one, registry=store.root)
    assert "onnx-int8" not in store.kinds(store.resolve(NAME))
    api.export(NAME, int8=True, output=other, registry=store.root)
    assert [opset(path.read_bytes()) for path in (one, other)] == [18, 20]
    assert store.read(store.resolve(NAME), "onnx-int8") == other.read_bytes()


def test_a_refusal_in_int8_leaves_the_file_in_fp32(
    store: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which passed its gates, and the hint says that it stays."""
    version = store.resolve(NAME)
    bare = Registry(tmp_path / "bare")
    made = store.lineage(version)
    weights = {kind: store.read(version, kind) for kind in store.kinds(version) if not kind.startswith("onnx")}
    bare.register(version.name, weights, made)

    def refuse(*arguments: object) -> None:
        raise GanzooError("gate fidelity: no")

    monkeypatch.setattr("ganzoo.exporting.versions.prove_derived", refuse)
    with pytest.raises(GanzooError, match="gate fidelity: no"):
        api.export(NAME, int8=True, output=tmp_path / "int8.onnx", registry=bare.root)
    assert list(bare.kinds(bare.resolve(NAME))).count("onnx") == 1
    assert "onnx-int8" not in bare.kinds(bare.resolve(NAME))
    assert not (tmp_path / "int8.onnx").exists()


def test_a_file_has_the_record_of_its_export(store: Registry, tmp_path: Path) -> None:
    path = tmp_path / "int8.onnx"
    record = api.export(NAME, int8=True, output=path, registry=store.root).record
    model = onnx.load(path)
    held = json.loads(next(each.value for each in model.metadata_props if each.key == "ganzoo.export"))
    assert held == {name: value for name, value in record.items() if name not in ("sha256", "bytes")}
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record["bytes"] == path.stat().st_size
    assert held["opset"] == 20
    assert held["inputs"]["z"] == {"dtype": "float32", "shape": ["batch", 6]}
    assert held["outputs"] == {"images": {"dtype": "float32", "shape": ["batch", 1, 8, 8]}}
    assert set(held["made_of"]["gates"]) == {"structure", "randomness", "signature", "parity", "independence"}
    assert held["packages"]["onnx"]
