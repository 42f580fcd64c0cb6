"""``ganzoo plugins`` with its commands, ``install`` and ``uninstall``: what they print, and wrong input."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ganzoo.cli import main
from ganzoo.distributions import installing
from ganzoo.distributions.index import VARIABLE
from ganzoo.distributions.installing import Installed
from ganzoo.zoo.installed import discover
from ganzoo.zoo.names import zoo
from ganzoo_registry import Registry

METRIC = """
from ganzoo import Metric, hookimpl

@hookimpl
def ganzoo_specs():
    yield Metric(name="loud", summary="a constant", target="sounds_loud:measure", figures={"loud": ""})

def measure(evidence):
    return {"loud": 1.0}
"""


@pytest.fixture
def loud(install: Callable[..., Path]) -> Iterator[None]:
    """The distribution ``sounds`` with the plugin ``loud``."""
    install("sounds", {"loud": METRIC})
    zoo.cache_clear()
    yield
    zoo.cache_clear()


@pytest.fixture
def broken(install: Callable[..., Path]) -> Iterator[None]:
    """The distribution ``wrecks`` with the plugin ``wreck``, which cannot be imported."""
    install("wrecks", {"wreck": "1 / 0"})
    zoo.cache_clear()
    yield
    zoo.cache_clear()


def test_list_is_what_no_command_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == main(["plugins", "list"]) == 0
    out = capsys.readouterr().out
    assert out[: len(out) // 2] == out[len(out) // 2 :]
    assert main(["plugins", "--json"]) == main(["plugins", "list", "--json"]) == 0


def test_show(loud: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "show", "loud", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["distribution"], shown["version"], shown["state"]) == ("sounds", "1.0", "active")
    assert shown["provides"] == [{"kind": "metric", "name": "loud", "summary": "a constant"}]
    assert main(["plugins", "show", "sounds/loud"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "metric  loud  a constant"


def test_show_says_why_one_cannot_be_used(broken: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "show", "wreck"]) == 0
    assert "reason        ZeroDivisionError: division by zero\n" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["show", "check"])
def test_an_unknown_plugin(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", command, "dcgn"]) == 3
    assert capsys.readouterr().err == "Error: no plugin 'dcgn' is installed\nHint: did you mean 'dcgan'?\n"


def test_an_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "chek"]) == 2
    assert capsys.readouterr().err == "Error: no such command: ganzoo plugins chek\nHint: did you mean 'check'?\n"


def test_check_prints_each_result(loud: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name, of every plugin that is not built-in."""
    assert main(["plugins", "check"]) == 0
    out, err = capsys.readouterr()
    title, header, *rows, counts = out.splitlines()
    assert title == "sounds/loud 1.0"
    assert header.split("  ")[0] == "RESULT"
    assert [row[:7].rstrip() for row in rows] == ["pass", "pass", "not run", "pass"]
    assert rows[-1].split(None, 3) == ["pass", "figures", "metric", "loud  loud 1"]
    assert counts == "1 not run, 3 pass"
    assert err.endswith("by name they are: ganzoo plugins check acgan\n")


def test_check_as_json_and_with_exemptions(loud: None, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["plugins", "check", "loud", "--exempt", "figures=it is loud", "--set", "batch=4", "--json"])
    assert code == 5
    (plugin,) = json.loads(capsys.readouterr().out)
    assert plugin["distribution"] == "sounds"
    assert plugin["results"][-1] == {
        "check": "figures",
        "subject": "metric loud",
        "outcome": "fail",
        "reason": "it is exempt (it is loud), and passes: take the exemption away",
    }


def test_check_of_what_cannot_be_loaded(broken: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "check", "wreck"]) == 5
    assert "fail    loads      it is broken: ZeroDivisionError: division by zero\n" in capsys.readouterr().out


def test_check_where_only_built_ins_are(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganzoo.testing.finding.third_party", list)
    assert main(["plugins", "check"]) == 0
    out, err = capsys.readouterr()
    assert out.strip() == ""
    assert err.startswith("No plugin is installed but those that come with ganzoo.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--exempt", "figures"], "--exempt figures: not of the form CHECK=REASON"),
        (["--exempt", "figure=loud"], "exempt: there is no check 'figure' of this plugin"),
        (["--exempt", "figures="], "exempt: 'figures' has no reason"),
        (["--set", "batch"], "--set batch: not of the form KEY=VALUE"),
    ],
)
def test_wrong_options_of_check(
    loud: None, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["plugins", "check", "loud", *arguments]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error == f"Error: {message}"
    assert hint.startswith("Hint: ")


def test_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plugins", "new", "my-gan"]) == 0
    out, err = capsys.readouterr()
    assert out == "ganzoo-my-gan\n"
    assert err == "Next:\n  ganzoo install -e ganzoo-my-gan\n  ganzoo plugins check my-gan\n"
    assert Path("ganzoo-my-gan/ganzoo_my_gan/networks.py").is_file()
    assert main(["plugins", "new", "my-gan"]) == 2
    assert capsys.readouterr().err.startswith("Error: ganzoo-my-gan is there already\nHint: ")
    assert main(["plugins", "new", "my-gan", "--directory", "a/b", "--kind", "loss"]) == 0
    assert Path("a/b/ganzoo_my_gan/losses.py").is_file()
    capsys.readouterr()
    assert main(["plugins", "new", "recall", "--directory", "a b"]) == 0
    assert capsys.readouterr().err.startswith("Next:\n  ganzoo install -e 'a b'\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["My_Gan"], "'My_Gan' cannot name a plugin; wanted: lower-case letters, digits and inner '-', a letter first"),
        (["dcgan"], "architecture 'dcgan' is in ganzoo/dcgan "),
        (["losses", "--kind", "loss"], "plugin ganzoo/losses 0.1.0 is installed already"),
        (["tensorboard", "--kind", "metric"], "plugin ganzoo/tensorboard 0.1.0 is installed already"),
        (["recall", "--kind", "metric"], "figure 'recall' is in ganzoo/metrics 0.1.0 already"),
        (["fd", "--kind", "metric"], "figure 'fd' is in ganzoo/metrics 0.1.0 already"),
        (["my-gan", "--kind", "optimiser"], "invalid value for '--kind': 'optimiser' is not one of 'model', 'loss'"),
        (["my-gan", "--directory", ""], "--directory: the path is empty"),
    ],
)
def test_what_cannot_be_begun(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plugins", "new", *arguments]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith(f"Error: {message}")
    assert hint.startswith("Hint: ")
    assert list(tmp_path.iterdir()) == []


def test_search(
    loud: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plugins", "search", "loud"]) == 2
    assert capsys.readouterr().err.startswith("Error: no index of plugins is configured: GANZOO_PLUGIN_INDEX is not")
    common = {"version": "2.0", "summary": "loud\x1b[2J", "provides": [{"kind": "metric", "name": "loud"}]}
    entries = [{"name": name, "distribution": name, **common} for name in ("sounds", "others")]
    (tmp_path / "index.json").write_text(json.dumps({"format": 1, "plugins": entries}))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "index.json"))
    assert main(["plugins", "search", "LOUD"]) == 0
    _, here, elsewhere = capsys.readouterr().out.splitlines()
    assert here.split() == ["sounds", "2.0", "yes", "metric", "loud", "loud\\x1b[2J"]
    assert elsewhere.split() == ["others", "2.0", "metric", "loud", "loud\\x1b[2J"]
    assert main(["plugins", "search", "quiet", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"
    (tmp_path / "index.json").write_text("{}")
    assert main(["plugins", "search", "LOUD"]) == 4


def test_install_tells_what_came(
    loud: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[tuple[str, ...]] = []
    (plugin,) = (plugin for plugin in discover({}) if plugin.name == "loud")

    def install(arguments: tuple[str, ...]) -> Installed:
        given.append(arguments)
        return Installed((plugin,), ())

    monkeypatch.setattr(installing, "install", install)
    assert main(["install", "sounds", "--no-deps", "-U"]) == 0
    assert given == [("sounds", "--no-deps", "-U")]
    out, err = capsys.readouterr()
    assert out == "sounds/loud 1.0\n"
    assert err == "Next:\n  ganzoo plugins check loud\n"


def test_install_of_what_is_no_plugin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(installing, "install", lambda _: Installed((), ("attrs", "six")))
    assert main(["install", "six", "attrs"]) == 5
    error, hint = capsys.readouterr().err.splitlines()
    assert error == "Error: attrs, six: no plugin; what was installed has no entry point in the group ganzoo.v1"
    assert hint == "Hint: to take it away again: ganzoo uninstall attrs six"


def test_install_and_uninstall_want_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install"]) == main(["uninstall"]) == 2
    assert capsys.readouterr().err.count("Error: missing argument 'PACKAGE…'") == 2


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What pip is asked to take away."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        commands.append(command[command.index("uninstall") :])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(installing, "require_pip", lambda *_: None)
    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_uninstall_names_the_versions_that_need_it(
    loud: None, own_registry: Path, taken: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    store = Registry(own_registry)
    for number in range(7):
        lineage = {"plugins": [{"distribution": "sounds"}], "number": number}
        store.register("song", {"preview": bytes([number])}, lineage)
    store.register("silence", {"preview": b""}, {"plugins": [{"distribution": "ganzoo"}]})
    assert main(["uninstall", "Sounds"]) == 2
    error, hint = capsys.readouterr().err.splitlines()
    assert error == ("Error: registered versions need Sounds: song:1, song:2, song:3, song:4, song:5 and 2 more")
    assert hint.endswith(": ganzoo uninstall Sounds --yes")
    assert taken == []
    assert main(["uninstall", "sounds", "--yes"]) == 0
    assert taken == [["uninstall", "--yes", "sounds"]]
    assert capsys.readouterr().err == "Took away sounds.\n"


def test_uninstall_of_what_nothing_needs(loud: None, taken: list[list[str]]) -> None:
    assert main(["uninstall", "sounds"]) == 0
    assert taken == [["uninstall", "--yes", "sounds"]]


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("ganzoo", 2, "this is ganzoo itself"),
        ("loud", 3, "loud is not installed"),
        ("numpy", 2, "ganzoo needs numpy"),
    ],
)
def test_what_is_not_uninstalled(
    loud: None, taken: list[list[str]], capsys: pytest.CaptureFixture[str], name: str, code: int, message: str
) -> None:
    assert main(["uninstall", name]) == code
    error, hint = capsys.readouterr().err.splitlines()
    assert error == f"Error: {message}"
    assert hint.startswith("Hint: ")
    assert taken == []


def test_under_pipx_the_command_is_told(
    loud: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pipx_metadata.json").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert main(["install", "ganzoo-new"]) == 2
    assert capsys.readouterr().err.endswith("Hint: type: pipx inject ganzoo ganzoo-new\n")
    assert main(["uninstall", "sounds"]) == 2
    assert capsys.readouterr().err.endswith("Hint: type: pipx uninject ganzoo sounds\n")


@pytest.mark.parametrize("arguments", [["--help"], ["plugins", "--help"], ["plugins", "new", "--help"]])
def test_help_looks_for_no_plugin(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """However many are installed: what the scan costs, ``--help`` does not."""

    def scan(*_: object) -> None:
        raise AssertionError("the metadata are read")

    monkeypatch.setattr("ganzoo.zoo.installed._installed", scan)
    monkeypatch.setattr("importlib.metadata.distributions", scan)
    zoo.cache_clear()
    assert main(arguments) == 0


@pytest.mark.parametrize("command", ["plugins show dcgan", "plugins new my-gan", "plugins search x", "uninstall x"])
def test_only_check_is_heavy(command: str, tmp_path: Path) -> None:
    code = f"import sys\nfrom ganzoo.cli import main\nmain({command.split()!r})\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert {"torch", "numpy", "onnxruntime", "pytest"} & set(done.stdout.split()) == set()
