"""``ganzoo doctor``: looks at everything, fails at nothing."""

import errno
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganzoo.cli import main
from ganzoo.errors import PluginError
from ganzoo.version import __version__
from ganzoo_registry import Registry, disk

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
        "damaged": [],
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
    """By the proof of a training, whoever runs the tests: modes do not stop root."""

    def link(source: Any, target: Any) -> None:
        if Path(target).parent == tmp_path / "registry/models/net/versions":
            raise PermissionError(errno.EACCES, "Permission denied")
        os.link(source, target)

    Registry(tmp_path / "registry").register("net", {}, {})
    monkeypatch.setattr(disk.system, "link", link)
    findings = doctor()
    assert findings["registry"]["writable"] is False
    fault = f"cannot use the registry {tmp_path}/registry: permission denied: {tmp_path}/registry/models/net/versions"
    assert f"the registry: {fault}" in findings["problems"]


def test_damaged_records_are_counted(doctor: Doctor, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    for name in ("a", "b", "c", "d"):
        registry.register(name, {}, {"name": name})
        registry.alias(name, "champion")
    for record in ("a/aliases/champion/1", "b/aliases/champion/1", "c/versions/1", "d/aliases/champion/1"):
        path = registry.root / "models" / record
        path.chmod(0o644)
        path.write_bytes(b"")
    findings = doctor()
    assert (findings["registry"]["models"], findings["registry"]["writable"]) == (4, True)
    assert len(findings["registry"]["damaged"]) == 4
    (problem,) = (line for line in findings["problems"] if line.startswith("the registry: "))
    assert problem.startswith(
        "the registry: 4 of its records cannot be read: the record models/a/aliases/champion/1 is"
    )
    assert problem.endswith("; ...")


def test_a_damaged_layout_is_found(doctor: Doctor, tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    registry.register("net", {}, {})
    (registry.root / "oci-layout").chmod(0o644)
    (registry.root / "oci-layout").write_bytes(b"rot")
    (problem,) = (line for line in doctor()["problems"] if line.startswith("the registry: "))
    what = f"the record oci-layout of the registry {registry.root} is damaged"
    assert problem == f"the registry: 1 of its records cannot be read: {what}"


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
