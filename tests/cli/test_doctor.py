"""``ganzoo doctor``: looks at everything, fails at nothing."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganzoo.cli import main
from ganzoo.errors import PluginError
from ganzoo.version import __version__

Doctor = Callable[..., dict[str, Any]]


@pytest.fixture
def doctor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Doctor:
    def look(registry: Path = tmp_path / "registry") -> dict[str, Any]:
        assert main(["doctor", "--json", "--registry", str(registry)]) == 0
        findings: dict[str, Any] = json.loads(capsys.readouterr().out)
        return findings

    return look


def test_what_it_finds(doctor: Doctor, tmp_path: Path) -> None:
    import torch

    findings = doctor()
    assert findings["ganzoo"] == __version__
    assert findings["cores"] >= 1
    assert findings["torch"]["version"] == torch.__version__
    assert isinstance(findings["torch"]["bf16"], bool)
    assert findings["onnxruntime"]["faults"]["CPUExecutionProvider"] is None
    assert findings["registry"] == {
        "path": str(tmp_path / "registry"),
        "models": 0,
        "writable": True,
        "fault": None,
    }
    assert not (tmp_path / "registry").exists()
    assert all(plugin["state"] == "active" for plugin in findings["plugins"])


def test_a_person_reads_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--registry", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert f"ganzoo  {__version__}" in " ".join(out.split()).replace(" ", "  ")
    assert f"{tmp_path} (0 models)" in out
    assert "Problems:\n" in out


def test_without_torch(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    findings = doctor()
    assert findings["torch"]["version"] is None
    (problem,) = (line for line in findings["problems"] if "PyTorch" in line)
    assert problem.startswith("PyTorch cannot be used, so nothing can be trained or exported: ")


def test_without_onnxruntime(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    findings = doctor()
    assert findings["onnxruntime"]["version"] is None
    assert any(line.startswith("ONNX Runtime cannot be used: ") for line in findings["problems"])


def test_a_registry_that_is_a_file(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        findings = doctor(path)
        assert findings["registry"]["writable"] is False
        assert any(line.startswith("the registry: ") for line in findings["problems"])


def test_a_place_that_cannot_be_written(doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # whoever runs the tests, root too
    assert f"the registry: {tmp_path} is not writable" in doctor()["problems"]


def test_colliding_wheels(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganzoo.runtime import providers

    report = providers.Survey(
        version="1.0",
        distributions={"onnxruntime": "1.0", "onnxruntime-gpu": "1.1"},
        advertised=(),
        faults={},
        collision="remove one",
    )
    monkeypatch.setattr(providers, "survey", lambda: report)
    assert (
        "the ONNX Runtime wheels collide (onnxruntime 1.0 and onnxruntime-gpu 1.1): remove one" in doctor()["problems"]
    )


def test_without_a_place_for_temporary_files(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container whose root may only be read."""

    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    assert doctor()["temporary"]["fault"] is None
    monkeypatch.setattr("tempfile.gettempdir", none)
    findings = doctor()
    assert findings["temporary"] == {
        "path": None,
        "fault": "[Errno 2] No usable temporary directory found in ['/tmp']",
    }
    assert "there is no directory for temporary files, so nothing can be exported: set TMPDIR" in findings["problems"]


def test_a_broken_plugin_that_is_an_error_elsewhere(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PluginError("plugin wreck/wreck 1.0 is broken: SystemExit: 0")

    monkeypatch.setattr("ganzoo.zoo.names.zoo", refuse)
    assert "plugin ? is broken: plugin wreck/wreck 1.0 is broken: SystemExit: 0" in doctor()["problems"]
