"""``ganzoo serve``: by which names, and how it and its neighbours behave where there is little but themselves."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ganzoo.cli import main
from ganzoo.cli.serve import _by_name, _named
from ganzoo.errors import UsageError
from ganzoo_registry import Registry

PETITE = Path(__file__).parents[1] / "packaging" / "petite.onnx"


def model(name: str, version: int | None = None, sha256: str = "a") -> Any:
    return SimpleNamespace(card=SimpleNamespace(name=name, version=version), sha256=sha256)


@pytest.mark.parametrize(
    ("found", "names"),
    [
        ([("", model("m", 1)), ("", model("n", 1))], ["m", "n"]),
        ([("", model("m", 1)), ("", model("m", 2))], ["m:1", "m:2"]),
        ([("mine", model("m", 1)), ("", model("m", 1, "b"))], ["mine", "m"]),
        ([("mine", model("m", 1)), ("yours", model("m", 1, "b"))], ["mine", "yours"]),
        ([("mine", model("m", 1)), ("same", model("m", 1))], ["mine", "same"]),
        ([("cafe\u0301", model("org/m"))], ["caf\u00e9"]),
    ],
)
def test_the_names_of_what_is_served(found: list[tuple[str, Any]], names: list[str]) -> None:
    assert list(_by_name([(*each, "") for each in found])) == names


@pytest.mark.parametrize(
    ("found", "message", "hint"),
    [
        ([("", model("m")), ("", model("m"))], "m is given twice", "give each once"),
        ([("", model("m", 1)), ("", model("m", 1))], "m:1 is given twice", "give each once"),
        (
            [("", model("m", 1)), ("", model("m", 1, "b"))],
            "two different generators are called m:1",
            "name them: ganzoo serve ONE=a.onnx OTHER=b.onnx",
        ),
        (
            [("m", model("x")), ("", model("m", None, "b"))],
            "two different generators are called m",
            "name them: ganzoo serve ONE=a.onnx OTHER=b.onnx",
        ),
        *(
            (
                [("", model(name))],
                f"{name!r} cannot stand in a URL",
                "give it another name: ganzoo serve NAME=FILE.onnx",
            )
            for name in ("org/m", "", ".", "..", "a\nServing fake", "\x1b[2J")
        ),
    ],
)
def test_names_that_cannot_be_served(found: list[tuple[str, Any]], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        _by_name([(*each, "") for each in found])
    assert (str(caught.value), caught.value.hint) == (message, hint)


def test_a_name_before_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=0.1.onnx").touch()
    assert _named("a=b.onnx") == ("a", "b.onnx")
    assert _named("a=/x/y=z.onnx") == ("a", "/x/y=z.onnx")
    assert _named("net@champion") == ("", "net@champion")
    assert _named("lr=0.1.onnx") == ("", "lr=0.1.onnx")  # the file is there
    assert _named("runs/lr=0.1/g.onnx") == ("", "runs/lr=0.1/g.onnx")


def test_a_name_is_given_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[list[str]] = []
    monkeypatch.setattr(
        "ganzoo.serving.server.serve", lambda generators, listener, **_: served.append(list(generators))
    )
    assert main(["serve", "--device", "cpu", "--port", "0", f"one={PETITE}", f"other={PETITE}"]) == 0
    assert served == [["one", "other"]]


def test_what_is_asked_for_reaches_the_server(own_registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two versions of one model, of which one is meant by its alias and follows it."""
    store = Registry(own_registry)
    for number in (1, 2):
        version = store.register("petite", {}, {"config": {"seed": number}, "data": {}})
        store.attach(version, "onnx", PETITE.read_bytes())
    store.alias("petite:2", "live")
    told: dict[str, Any] = {}
    monkeypatch.setattr(
        "ganzoo.serving.server.serve", lambda generators, _, **options: told.update(options, served=list(generators))
    )
    monkeypatch.setenv("GANZOO_API_KEY", "from outside")
    command = [
        "serve",
        "--device",
        "cpu",
        "--port",
        "0",
        "--deadline",
        "2.5",
        "petite@live",
        f"petite@{version.digest}",
    ]
    assert main(command) == 0
    (alias,) = told["aliases"].values()
    assert told["served"] == ["petite@live", "petite:1"]  # as the file says, which is of version 1
    assert (list(told["aliases"]), alias.reference) == (["petite@live"], "petite@live")
    assert (told["api_key"], told["deadline"]) == ("from outside", 2.5)


def test_a_key_that_there_cannot_be_is_refused_before_anything_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "nothing", "--api-key", " "]) == 2
    assert capsys.readouterr().err == (
        "Error: the API key must be visible characters of ASCII, without spaces at its ends\n"
        "Hint: for example: openssl rand -hex 32\n"
    )


# Signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("command", ["sample", "serve"])
def test_a_command_that_is_told_to_end_leaves_nothing_half_written(
    command: str, number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = 0 if command == "serve" else 128 + number
    monkeypatch.chdir(tmp_path)
    moment = "ganzoo.files.os.replace" if command == "sample" else "ganzoo.serving.server.serve"
    monkeypatch.setattr(moment, lambda *_, **__: os.kill(os.getpid(), number))
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as caught:
        main([command, str(PETITE), "--device", "cpu", *([] if command == "sample" else ["--port", "0"])])
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(number) is before


def test_nohup_is_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    really = os.replace

    def interrupted(*way: str) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        really(*way)

    monkeypatch.setattr("ganzoo.files.os.replace", interrupted)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(["sample", str(PETITE), "--device", "cpu"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert [path.name for path in tmp_path.iterdir()] == ["samples.png"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_the_first_process_of_a_container_hears_a_signal_from_its_first_moment() -> None:
    """It is sent while ``click`` is imported, long before there is a command."""
    code = (
        "import os, signal, sys\n"
        "class Moment:\n"
        "    @staticmethod\n"
        "    def find_spec(name, *_):\n"
        "        if name == 'click':\n"
        "            os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.meta_path.insert(0, Moment)\n"
        "assert os.getpid() == 1\n"
        "from ganzoo.__main__ import run\n"
        "sys.argv = ['ganzoo', 'serve', 'nothing']\n"
        "run()\n"
    )
    done = subprocess.run(["unshare", "--pid", "--fork", sys.executable, "-c", code], capture_output=True, text=True)
    if "unshare" in done.stderr:
        pytest.skip(done.stderr)
    assert (done.returncode, done.stderr) == (128 + signal.SIGTERM, "")


# What dependencies do on their own


COMMANDS = [
    ["sample", "petite", "-n", "1", "--device", "cpu"],
    ["sample", str(PETITE), "-n", "1", "--device", "cpu", "-o", "f.png"],
    ["doctor"],
    ["eval", "petite", "--data", "digits", "--seeds", "1", "-n", "20", "--device", "cpu", "-o", "e.png"],
    ["export", "petite", "-o", "x.onnx"],
    ["serve", "petite", "--port", "0", "--device", "cpu"],
]


def test_nothing_is_left_in_the_home_directory(tmp_path: Path, clean: Callable[[Path], dict[str, str]]) -> None:
    """ONNX Runtime leaves an identifier there, and matplotlib a list of fonts, unless they are told not to."""
    store = Registry(tmp_path / "registry")
    store.attach(store.register("petite", {}, {"config": {}, "data": {}}), "onnx", PETITE.read_bytes())
    code = (
        "import sys, ganzoo.serving.server\nfrom ganzoo.cli import main\n"
        "ganzoo.serving.server.serve = lambda generators, listener, **_: generators['petite'].sample(1)\n"
        f"sys.exit(max(main(arguments) for arguments in {COMMANDS!r}))"
    )
    home, programs = tmp_path / "home", tmp_path / "programs"
    home.mkdir()
    programs.mkdir()
    # matplotlib asks it for fonts; where it may not write to /var/cache, it keeps a list in the home directory.
    (programs / "fc-list").write_text('#!/bin/sh\nmkdir -p "${XDG_CACHE_HOME:-$HOME/.cache}/fontconfig"\n')
    (programs / "fc-list").chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**clean(home), "PATH": f"{programs}:{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list(home.rglob("*")) == []


@pytest.fixture
def clean() -> Callable[[Path], dict[str, str]]:
    """``clean(home)``: this environment with another home directory, and nothing that keeps dependencies quiet."""

    def environment(home: Path) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("XDG_", "MPL")) and name not in ("ORT_DISABLE_TELEMETRY", "CI", "GANZOO_CACHE")
        }
        return {**kept, "HOME": str(home)}

    return environment
