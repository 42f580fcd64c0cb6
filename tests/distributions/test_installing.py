"""Which command changes an environment, and what is refused; pip itself is another program."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from ganzoo.distributions import installing
from ganzoo.distributions.installing import check_spared, needed_by, require_pip
from ganzoo.errors import GanzooError, NotFoundError, UsageError

RECEIPT = """
[tool]
requirements = [
    { name = "ganzoo", specifier = ">=0.1" },
    { name = "ganzoo-sngan", extras = ["fast"], specifier = "==1.0" },
    { name = "ganzoo-local", editable = "/src/my local" },
    { name = "ganzoo-folder", directory = "/src/folder" },
    { name = "ganzoo-git", git = "https://git.example/x.git" },
]
"""
KEPT = (
    "'ganzoo>=0.1' --with 'ganzoo-sngan[fast]==1.0' --with-editable '/src/my local' "
    "--with /src/folder --with 'ganzoo-git @ git+https://git.example/x.git'"
)


def hint(prefix: Path, action: str, *arguments: str) -> str:
    with pytest.raises(UsageError) as caught:
        require_pip(action, arguments, prefix)
    return str(caught.value.hint)


def test_pipx(tmp_path: Path) -> None:
    (tmp_path / "pipx_metadata.json").write_text("{}")
    assert hint(tmp_path, "install", "ganzoo-a", "./b c") == "type: pipx inject ganzoo ganzoo-a './b c'"
    assert hint(tmp_path, "uninstall", "ganzoo-a") == "type: pipx uninject ganzoo ganzoo-a"


def test_uv_tool_keeps_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "uv-receipt.toml").write_text(RECEIPT)
    begin = "type: uv tool install"
    assert hint(tmp_path, "install", "--upgrade", "ganzoo-new") == f"{begin} {KEPT} --with ganzoo-new"
    without = KEPT.replace(" --with 'ganzoo-sngan[fast]==1.0'", "")
    assert hint(tmp_path, "uninstall", "Ganzoo_SNGAN") == f"{begin} {without}"


def test_uv_tool_keeps_an_editable_ganzoo(tmp_path: Path) -> None:
    (tmp_path / "uv-receipt.toml").write_text('[tool]\nrequirements = [{ name = "ganzoo", editable = "/src/ganzoo" }]')
    assert hint(tmp_path, "install", "a") == "type: uv tool install --editable /src/ganzoo --with a"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-e", "./a b"], "--with-editable './a b'"),
        (["--editable=./a"], "--with-editable ./a"),
        (["-r", "all.txt", "new"], "--with-requirements all.txt --with new"),
        (["--index-url", "https://x/simple", "new==1"], "--index-url https://x/simple --with new==1"),
        (["new", "--extra-index-url=https://x/?a=b"], "--with new --extra-index-url 'https://x/?a=b'"),
        (["new @ https://x/y?a=b", "-U"], "--with 'new @ https://x/y?a=b'"),
    ],
)
def test_options_of_pip_in_words_of_uv(tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "uv-receipt.toml").write_text('[tool]\nrequirements = [{ name = "ganzoo" }]')
    assert hint(tmp_path, "install", *arguments) == f"type: uv tool install ganzoo {words}"


@pytest.mark.parametrize("arguments", [["--no-deps", "new"], ["new", "--target", "x"], ["new", "-e"]])
def test_where_uv_has_no_such_option_there_is_no_command_to_type(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "uv-receipt.toml").write_text(RECEIPT)
    said = hint(tmp_path, "install", *arguments)
    assert said == f"uv tool install --help; {tmp_path / 'uv-receipt.toml'} has what is there"


def test_a_receipt_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "uv-receipt.toml").write_text("tool = [")
    assert hint(tmp_path, "install", "a") == "type: uv tool install ganzoo --with a"


def test_an_environment_without_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "find_spec", lambda name: None)
    assert hint(tmp_path, "install", "a") == f"type: {sys.executable} -m ensurepip, and then the same again"
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\nuv = 0.5.1\n")
    assert hint(tmp_path, "uninstall", "a") == f"type: uv pip uninstall --python {sys.executable} a"


def test_pip_may_change_any_other(tmp_path: Path) -> None:
    require_pip("install", ["a"], tmp_path)


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """``pip(code, *entries)``: stands in for pip, which would install these; returns the commands that it is given."""

    def stand_in(code: int = 0, *entries: tuple[str, bool]) -> list[list[str]]:
        commands: list[list[str]] = []

        def run(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
            commands.append(command[5:])
            if "--report" in command:
                report = [{"metadata": {"name": name}, "requested": requested} for name, requested in entries]
                Path(command[command.index("--report") + 1]).write_text(json.dumps({"install": report}))
            return subprocess.CompletedProcess(command, code)

        monkeypatch.setattr(installing, "require_pip", lambda *_: None)
        monkeypatch.setattr(subprocess, "run", run)
        return commands

    return stand_in


def test_plugins_that_came_are_told_and_strangers_too(
    pip: Callable[..., list[list[str]]], install: Callable[..., Path]
) -> None:
    install("ganzoo-new", {"new": ""})
    install("Stranger", {}, entry_points="", site="elsewhere")
    commands = pip(0, ("ganzoo_new", True), ("Stranger", True), ("needed", False))
    found = installing.install(["./new", "stranger", "--upgrade"])
    assert [plugin.qualified for plugin in found.plugins] == ["ganzoo-new/new"]
    assert found.strangers == ("stranger",)
    assert commands[0][0] == "install"
    assert commands[0][3:] == ["./new", "stranger", "--upgrade"]


@pytest.mark.parametrize("option", [["--dry-run"], ["--target", "elsewhere"]])
def test_what_was_not_installed_here_is_no_stranger(pip: Callable[..., list[list[str]]], option: list[str]) -> None:
    pip(0, ("ganzoo-new", True))
    assert installing.install([*option, "ganzoo_new-1.0-py3-none-any.whl"]) == installing.Installed((), ())


def test_a_pip_in_the_working_directory_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(installing, "require_pip", lambda *_: None)
    with pytest.raises(GanzooError, match="pip uninstall failed"):
        installing._pip("uninstall", "--no-such-option")
    assert not (tmp_path / "ran").exists()


def test_one_that_was_there_already_is_told(pip: Callable[..., list[list[str]]], install: Callable[..., Path]) -> None:
    install("ganzoo-new", {"new": ""})
    pip(0)
    found = installing.install(["ganzoo_new[extra]>=1"])
    assert [plugin.qualified for plugin in found.plugins] == ["ganzoo-new/new"]
    assert found.strangers == ()


def test_pip_that_fails(pip: Callable[..., list[list[str]]]) -> None:
    pip(1)
    with pytest.raises(GanzooError, match="pip install failed with exit code 1"):
        installing.install(["nothing"])


def test_uninstalling(pip: Callable[..., list[list[str]]], install: Callable[..., Path]) -> None:
    install("ganzoo-new", {"new": ""})
    commands = pip()
    installing.uninstall(["ganzoo-new"])
    assert commands == [["uninstall", "--yes", "ganzoo-new"]]


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("ganzoo", "this is ganzoo itself", "python -m pip uninstall ganzoo"),
        ("Torch", "ganzoo needs Torch", "python -m pip uninstall Torch"),
        ("MarkupSafe", "ganzoo needs MarkupSafe", "python -m pip uninstall MarkupSafe"),  # of jinja2, of torch
        ("httptools", "ganzoo needs httptools", "python -m pip uninstall httptools"),
        ("websockets", "ganzoo needs websockets", "python -m pip uninstall websockets"),  # of uvicorn[standard]
        ("pip", "ganzoo install needs pip", "python -m pip uninstall pip"),
    ],
)
def test_what_ganzoo_needs_is_not_taken_away(name: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        check_spared(name)
    assert str(caught.value.hint).endswith(hint)


REQUIRED = {
    "ganzoo": ["onnxruntime>=1; os_name == 'none'", "uvicorn[fast, un_safe]>=0.3", "av>=1; extra == 'film'"],
    "onnxruntime": ["flatbuffers", "elsewhere; os_name == 'none'"],
    "uvicorn": ["uvloop>=1; os_name != 'none' and extra == 'fast'", "h3; extra == 'slow'", "tls; extra == 'un-safe'"],
    "uvloop": ["uvicorn[slow]; extra == 'never'", "uvicorn"],
}


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("onnxruntime", True),  # as a server has it, whatever the marker says of this machine
        ("flatbuffers", True),
        ("elsewhere", False),
        ("av", False),
        ("uvloop", True),
        ("h3", False),
        ("tls", True),
    ],
)
def test_what_is_needed_follows_extras_and_what_is_installed(
    monkeypatch: pytest.MonkeyPatch, name: str, needed: bool
) -> None:
    monkeypatch.setattr(metadata, "requires", lambda who: REQUIRED.get(who, []))
    monkeypatch.setattr(metadata, "version", lambda who: "1")
    with pytest.raises(UsageError, match=f"ganzoo needs {name}") if needed else nullcontext():
        check_spared(name)


def test_what_ganzoo_needs_and_is_not_there_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ONNX Runtime for CUDA is installed, that for the CPU is not."""
    monkeypatch.setattr(metadata, "requires", lambda who: {"ganzoo": ["onnxruntime-nowhere"]}.get(who, []))
    with pytest.raises(NotFoundError, match="onnxruntime-nowhere is not installed"):
        check_spared("onnxruntime-nowhere")


def test_what_is_not_there(install: Callable[..., Path]) -> None:
    install("ganzoo-new", {"fresh": ""})
    for name, hint in (
        ("fresh", "plugin fresh is of ganzoo-new: ganzoo uninstall ganzoo-new"),
        ("ganzoo-nw", "did you mean 'ganzoo-new'?"),
    ):
        with pytest.raises(NotFoundError, match=f"{name} is not installed") as caught:
            check_spared(name)
        assert caught.value.hint == hint


def test_which_versions_need_a_distribution() -> None:
    lineages: dict[str, dict[str, Any]] = {
        "a:1": {"plugins": [{"distribution": "ganzoo"}, {"distribution": "ganzoo-sngan"}]},
        "a:2": {"plugins": [{"distribution": "ganzoo"}]},
        "b:1": {},
        "c:1": {"plugins": [{"name": "ganzoo-sngan"}, "ganzoo-sngan", {"distribution": None}]},
        "c:2": {"plugins": {"distribution": "ganzoo-sngan"}},
        "c:3": {"plugins": 7},
    }
    assert needed_by(["Ganzoo_SNGAN"], lineages) == ["a:1"]
