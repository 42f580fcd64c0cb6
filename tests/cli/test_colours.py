"""Colours: where they are wanted, and that they change no word."""

import io
import re

import pytest
from hypothesis import given, strategies as st

from ganzoo.cli.output import say
from ganzoo.progress.colours import BOLD, CYAN, GREEN, RED, RESET, YELLOW, coloured


class Screen(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.mark.parametrize(
    ("line", "colour", "words"),
    [
        ("Error: no model 'x'", RED, "Error:"),
        ("Hint: did you mean 'y'?", CYAN, "Hint:"),
        ("Warning: it is slow", YELLOW, "Warning:"),
        ("gate passed: parity (1e-6)", GREEN, "gate passed:"),
        ("Next:", BOLD, "Next:"),
        ("VERSION  FD (1a2)  REAL IMAGES", BOLD, "VERSION  FD (1a2)  REAL IMAGES"),
    ],
)
def test_what_matters_is_coloured(line: str, colour: str, words: str) -> None:
    assert coloured(line, Screen()) == f"{colour}{words}{RESET}{line.removeprefix(words)}"
    assert coloured(f"before\n{line}\nafter", Screen()) == f"before\n{coloured(line, Screen())}\nafter"


@pytest.mark.parametrize("line", ["an Error: inside", "wgan-gp:1  dcgan", "  Hint: further in", "", "Seed 7."])
def test_the_rest_is_not(line: str) -> None:
    assert coloured(line, Screen()) == line


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_who_wants_none_gets_none(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert coloured("Error: x", Screen()) == "Error: x"


def test_a_file_gets_none() -> None:
    assert coloured("Error: x", io.StringIO()) == "Error: x"


def test_an_empty_no_color_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert coloured("Error: x", Screen()).startswith(RED)


@given(st.text())
def test_no_word_changes(text: str) -> None:
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured(text.replace("\x1b", ""), Screen())) == text.replace("\x1b", "")


def test_what_others_wrote_colours_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Escapes in a message are shown, and only ours reach the terminal."""
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    say("Error: \x1b[5mblink")
    assert screen.getvalue() == f"{RED}Error:{RESET} \\x1b[5mblink\n"
