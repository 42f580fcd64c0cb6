"""Stdout is for data: what anything else writes there while a command runs goes to stderr."""

import os
import subprocess
import sys
import warnings

import click
import pytest

from ganzoo.cli import COMMANDS, cli, main
from ganzoo.cli.output import emit
from ganzoo.cli.stage import _beside
from ganzoo.errors import PluginWarning


@pytest.fixture
def loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that prints in several ways, and then its data."""

    @click.command()
    def command() -> None:
        print("by print")
        os.write(1, b"by number\n")
        subprocess.run(["echo", "by a child"], check=True)
        sys.stdout.close() if sys.stdout is not sys.stderr else None
        emit({"data": 1}, True, str)

    monkeypatch.setitem(COMMANDS, "loud", ("tests:loud", "Print."))
    monkeypatch.setattr(cli, "get_command", lambda context, name: command)


def test_only_data_are_on_stdout(loud: None, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # and it is put back
        assert main(["loud"]) == 0
        out, err = capfd.readouterr()
        assert out == '{\n  "data": 1\n}\n'
        assert sorted(err.splitlines()) == ["by a child", "by number", "by print"]
        os.write(1, b"mine\n")
        print("mine")
        assert capfd.readouterr().out == "mine\nmine\n"


def test_where_stdout_is_no_file_the_rest_goes_to_stderr_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def command() -> None:
        print("by print")
        emit([1], True, str)

    monkeypatch.setitem(COMMANDS, "loud", ("tests:loud", "Print."))
    monkeypatch.setattr(cli, "get_command", lambda context, name: command)
    assert main(["loud"]) == 0
    assert capsys.readouterr() == ("[\n  1\n]\n", "by print\n")


@pytest.mark.parametrize("error", [SystemExit(0), SystemExit("all is well"), EOFError("no more")])
def test_no_code_ends_a_command_without_a_word(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def command() -> None:
        raise error

    monkeypatch.setitem(COMMANDS, "loud", ("tests:loud", "End."))
    monkeypatch.setattr(cli, "get_command", lambda context, name: command)
    assert main(["loud"]) == 1
    said = f"Error: the command was ended by {type(error).__name__}: {error}\n"
    assert capsys.readouterr().err == f"{said}Hint: GANZOO_DEBUG=1 shows by what code\n"


def test_what_is_told_of_plugins_is_a_line_and_other_warnings_are_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def command() -> None:
        warnings.warn("plugin aaa/odd is odd", PluginWarning, stacklevel=1)
        warnings.warn("another", DeprecationWarning, stacklevel=1)

    monkeypatch.setitem(COMMANDS, "loud", ("tests:loud", "Warn."))
    monkeypatch.setattr(cli, "get_command", lambda context, name: command)
    with pytest.warns(DeprecationWarning, match="another") as others:
        assert main(["loud"]) == 0
    assert len(others) == 1
    assert capsys.readouterr().err == "plugin aaa/odd is odd\n"


@pytest.mark.parametrize("where", ["a full disk", "a pipe that nobody reads"])
def test_what_foreign_code_prints_may_be_lost(where: str) -> None:
    """It goes on, and so does what needs it."""
    if where == "a full disk":
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, descriptor = os.pipe()
        os.close(reader)
    with open(descriptor, "w", encoding="utf-8") as stderr:
        printed = _beside(stderr)
        print("reading 1 of 2", file=printed, flush=True)
        print("reading 2 of 2", file=printed, flush=True)
        printed.buffer.write(b"bytes")
