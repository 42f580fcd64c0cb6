"""``ganzoo export``: what it passes on and what it prints. The export itself has its own tests."""

import json
from pathlib import Path
from typing import Any

import pytest

from ganzoo.cli import main
from ganzoo.exporting.versions import ExportResult
from ganzoo_registry import Version

OFF = {"int8": False, "uint8": False, "check": False}
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
    options = {"output": Path("net.onnx"), "opset": 18, "force": True, "registry": Path("r"), **OFF}
    assert calls == [("net:3", options)]
    assert capsys.readouterr() == ("net.onnx\n", "parity: 2e-7\nchecker: passed\n")


def test_without_a_file_the_version_is_named(calls: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "net"]) == 0
    assert calls == [("net", {"output": None, "opset": None, "force": False, "registry": None, **OFF})]
    assert capsys.readouterr().out == "net:3\n"


def test_json(calls: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "net", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "version": "net:3",
        "path": None,
        "report": {"parity": "2e-7", "checker": "passed"},
        "record": {},
    }


def test_an_unknown_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "nothing", "--registry", str(tmp_path)]) == 3
    assert capsys.readouterr().err.startswith("Error: no model 'nothing' in the registry ")


def test_every_installed_architecture_can_be_exported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that can and one that cannot; the conformance kit tries all of them."""

    def tried(seen: Any) -> dict[str, str]:
        return {"good": "", "bad": "gate randomness: draws random numbers itself"}

    monkeypatch.setattr("ganzoo.exporting.checking.check_all", tried)
    assert main(["export", "--all", "--check"]) == 5
    out, err = capsys.readouterr()
    assert out.splitlines()[1:] == [
        "good          passed",
        "bad           gate randomness: draws random numbers itself",
    ]
    assert err == "Error: 1 of 2 architectures cannot be exported\nHint: ganzoo plugins check bad\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "missing argument 'REFERENCE'"),
        (["--all"], "--all tries what is installed, and takes no version"),
        (["net", "--all", "--check"], "--all tries what is installed, and takes no version"),
        (["net", "--check", "-o", "net.onnx"], "--check keeps nothing, and -o writes"),
        (["--all", "--check", "--int8"], "--all tries the file in fp32, and takes no --int8"),
        (["--all", "--check", "--opset", "17"], "--all tries the file in fp32, and takes no --opset"),
        (["--all", "--check", "--force"], "--all tries the file in fp32, and takes no --force"),
        (["net", "--ort-web", "."], "--ort-web is for --web alone"),
        (["net", "--triton", "models", "--int8"], "--triton takes the file in fp32, and --int8 makes another"),
        (
            ["net", "--triton", "models", "--opset", "17"],
            "--triton takes the file that is attached, and --opset alone does not change that",
        ),
        (
            ["net", "--web", "site", "--opset", "17"],
            "--web takes the file that is attached, and --opset alone does not change that",
        ),
    ],
    ids=str,
)
def test_what_does_not_go_together(
    arguments: list[str], message: str, calls: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"Error: {message}\nHint: ")
    assert not calls
