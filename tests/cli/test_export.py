"""``ganzoo export``: what it passes on and what it prints. The export itself has its own tests."""

import json
from pathlib import Path
from typing import Any

import pytest

from ganzoo.cli import main
from ganzoo.exporting.versions import ExportResult
from ganzoo_registry import Version

VERSION = Version("net", 3, "sha256:" + "0" * 64, "2026-01-01T00:00:00.000000Z")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    made: list[Any] = []

    def export(reference: str, **options: Any) -> ExportResult:
        made.append((reference, options))
        return ExportResult(VERSION, options["output"], {"parity": "2e-7", "checker": "passed"})

    monkeypatch.setattr("ganzoo.api.export", export)
    return made


def test_every_option_arrives(calls: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "net:3", "-o", "net.onnx", "--opset", "18", "--force", "--registry", "r"]) == 0
    options = {"output": Path("net.onnx"), "opset": 18, "force": True, "registry": Path("r")}
    assert calls == [("net:3", options)]
    assert capsys.readouterr() == ("net.onnx\n", "parity: 2e-7\nchecker: passed\n")


def test_without_a_file_the_version_is_named(calls: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "net"]) == 0
    assert calls == [("net", {"output": None, "opset": None, "force": False, "registry": None})]
    assert capsys.readouterr().out == "net:3\n"


def test_json(calls: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "net", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "version": "net:3",
        "path": None,
        "report": {"parity": "2e-7", "checker": "passed"},
    }


def test_an_unknown_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "nothing", "--registry", str(tmp_path)]) == 3
    assert capsys.readouterr().err.startswith("Error: no model 'nothing' in the registry ")
