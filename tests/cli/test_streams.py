"""Whatever becomes of stdout and stderr, what was to be done is done, and its exit code tells how it went."""

import errno
import io
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from hypothesis import given, strategies as st

from ganzoo.cli import cli, main
from ganzoo.cli.output import emit, in_line, note, print_data, printable
from ganzoo.cli.streams import Dropping, telling
from ganzoo.cli.tables import table
from ganzoo.progress.stderr import draws

FAILURES = {
    "its reader left": BrokenPipeError(errno.EPIPE, "Broken pipe"),
    "its disk is full": OSError(errno.ENOSPC, "No space left on device"),
    "its terminal is gone": OSError(errno.EIO, "Input/output error"),
    "nobody reads, and it may not wait": BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
    "it is closed": ValueError("I/O operation on closed file"),
}


class Failing(io.StringIO):
    """Takes nothing."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        """Fail."""
        raise self.error

    def flush(self) -> None:
        """Fail, too."""
        raise self.error


def work(monkeypatch: pytest.MonkeyPatch, callback: Callable[[], object]) -> None:
    """``ganzoo models`` now runs ``callback``."""
    monkeypatch.setattr(cli, "get_command", lambda context, name: click.Command("work", callback=callback))


@pytest.mark.parametrize("error", FAILURES.values(), ids=FAILURES)
def test_a_stream_that_fails_is_dropped_once_and_for_all(error: Exception) -> None:
    stream = Dropping(Failing(error))
    for _ in range(3):
        assert stream.write("text") == 4
        stream.flush()
    assert stream.failure is error
    assert stream.left == (error is FAILURES["its reader left"])


@pytest.mark.parametrize("failing", ["stdout", "stderr", "both"])
@pytest.mark.parametrize("error", FAILURES.values(), ids=FAILURES)
def test_the_work_goes_on(monkeypatch: pytest.MonkeyPatch, error: Exception, failing: str) -> None:
    done = []

    def some_work() -> None:
        for number in range(5):
            note(f"at {number}")
            emit([number], as_json=True, render=str)
            done.append(number)

    work(monkeypatch, some_work)
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Failing(error) if failing in (name, "both") else io.StringIO())
    said, code = sys.stderr, main(["models"])
    assert done == [0, 1, 2, 3, 4]
    wanted = failing == "stderr" or isinstance(error, BrokenPipeError)
    assert code == (0 if wanted else 1)  # data that did not arrive are a failure, what is told beside them is none
    if failing == "stdout" and not wanted:
        assert isinstance(said, io.StringIO)
        assert "Error: " in said.getvalue()


def test_the_broken_pipe_of_somebody_else_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lost() -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    work(monkeypatch, lost)
    assert main(["models"]) == 1
    assert capsys.readouterr().err.startswith("Error: something that was written to has gone away (broken pipe)\n")


@pytest.mark.parametrize("missing", [["stdout"], ["stderr"], ["stdout", "stderr"]], ids=",".join)
def test_a_missing_stream_is_no_error(monkeypatch: pytest.MonkeyPatch, missing: list[str]) -> None:
    for name in missing:
        monkeypatch.setattr(sys, name, None)

    def tell() -> None:
        note("a")
        emit([1], as_json=True, render=str)

    work(monkeypatch, tell)
    assert main(["models"]) == 0
    assert [getattr(sys, name) for name in missing] == [None] * len(missing)  # as they were


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_bytes_come_in_the_order_of_the_text_around_them(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    data = io.BytesIO()
    monkeypatch.setattr(sys, name, io.TextIOWrapper(data, "utf-8"))
    with telling():
        stream = getattr(sys, name)
        for each in ("a", b"b", "c", bytearray(b"d")):
            click.echo(each, file=stream, nl=False)
        io.TextIOWrapper(stream.buffer, "utf-16-le").write("e")
    assert data.getvalue() == b"abcde\0"


@pytest.mark.parametrize("stream", [None, *map(Failing, FAILURES.values())], ids=["missing", *FAILURES])
def test_bytes_that_nobody_takes_are_dropped(monkeypatch: pytest.MonkeyPatch, stream: Failing | None) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    with telling():
        for _ in range(3):
            click.echo(b"bytes")


SHELL = {
    "no stdin": "<&-",
    "no stdout": ">&-",
    "no stderr": "2>&-",
    "nothing open": "<&- >&- 2>&-",
    "a full disk under stderr": "2>/dev/full",
    "a reader that leaves at once": "2>&1 | true",
}


@pytest.mark.parametrize("streams", SHELL.values(), ids=SHELL)
def test_in_a_shell(tmp_path: Path, streams: str) -> None:
    """A registry's alias is set, though the command tells of it."""
    from ganzoo_registry import Registry

    store = Registry(tmp_path / "registry")
    store.register("net", {"weights": b"0"}, {})
    command = f"{sys.executable} -m ganzoo registry alias net:1 best --registry registry {streams}"
    script = f"({command}); test $? = 0" if "|" not in streams else f"set -o pipefail; {command}"
    subprocess.run(["bash", "-c", script], cwd=tmp_path, check=True, capture_output=True)
    assert store.aliases("net") == {"best": 1}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8"])
@pytest.mark.parametrize("command", ["eval --help", "report --help", "registry ls --help"])
def test_a_narrow_encoding_takes_every_text(monkeypatch: pytest.MonkeyPatch, encoding: str, command: str) -> None:
    data = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(data, encoding=encoding))
    assert main(command.split()) == 0
    assert "Usage: ganzoo" in data.getvalue().decode(encoding)


@pytest.mark.parametrize("terminal", ["dumb", "xterm"])
def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch, terminal: str) -> None:
    monkeypatch.setattr("sys.stderr", type("Terminal", (io.StringIO,), {"isatty": lambda self: True})())
    monkeypatch.setenv("TERM", terminal)
    assert draws() == (terminal == "xterm")


SCRIPTS = {"ARABIC", "KAITHI", "SYRIAC", "EGYPTI", "SHORTH", "MUSICA"}
"""Whose signs of format are seen: a sign of a number, a group of signs, a beam of notes."""


@given(st.text(st.characters()) | st.text(st.characters(categories=["Cf", "Cc", "Cs", "Zl", "Zp"])))
def test_what_is_printable_moves_no_cursor(text: str) -> None:
    shown = printable(text)
    shown.encode()
    for sign in shown:
        assert sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.category(sign) != "Cf" or sign in "\u200c\u200d\xad" or unicodedata.name(sign)[:6] in SCRIPTS
    assert not re.search(r"[\n\t]", in_line(text))


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs", "M"])))
def test_what_is_printable_stays(text: str) -> None:
    assert in_line(text) == text


def test_data_are_escaped_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path goes to the next program as it is."""
    for terminal, shown in ((False, "a\x1b[2J\n"), (True, "a\\x1b[2J\n")):
        stream = type("Stream", (io.StringIO,), {"isatty": lambda self, terminal=terminal: terminal})()
        monkeypatch.setattr("sys.stdout", stream)
        print_data("a\x1b[2J")
        assert stream.getvalue() == shown


def test_other_peoples_bytes_go_to_stderr_and_are_dropped_as_text_is(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with telling():
        assert sys.stderr.buffer.write(b"bytes\xff") == 6
        sys.stderr.buffer.flush()
        sys.stderr.write(" and text")
    assert capfdbinary.readouterr().err == b"bytes\xff and text"
    with open("/dev/full", "w") as full:
        stream = Dropping(full)
        for _ in range(3):
            assert stream.buffer.write(b"x" * 100_000) == 100_000
            stream.buffer.flush()
    assert isinstance(stream.failure, OSError)


FOREIGN = ["\x1b[2J\x1b]0;mine\x07", "name\rError: forged", "\u202eevil", "a\nServing fake", "\x9b2J", "\ud800"]


@pytest.mark.parametrize("text", FOREIGN, ids=ascii)
def test_foreign_text_reaches_no_terminal_raw(
    text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ganzoo.errors import GanzooError

    def fail() -> None:
        emit([text], as_json=False, render=lambda rows: table(("NAME",), [rows]))
        note(f"Warning: {text}".replace("\n", " "))
        raise GanzooError(f"about {text}", hint=f"not {text}")

    work(monkeypatch, fail)
    assert main(["models"]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert len(err.splitlines()) == 3
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800]", out + err)


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_json_has_no_infinity(number: float, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(word: str) -> object:
        raise AssertionError(word)

    with telling():
        emit({"a": [number, {"b": (number,)}]}, as_json=True, render=str)
    assert json.loads(capsys.readouterr().out, parse_constant=refuse) == {"a": [str(number), {"b": [str(number)]}]}
