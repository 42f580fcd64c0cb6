"""How wide a terminal is taken to be, and what is broken into lines."""

import io
import sys

import pytest
from terminal import terminal

from ganzoo.cli import main
from ganzoo.cli.output import columns, note, wrapped


@pytest.mark.parametrize(("asked", "found"), [(None, 60), ("100", 100), ("", 60), ("wide", 60), ("0", 60), ("-3", 60)])
def test_the_terminal_is_as_wide_as_it_is_or_as_it_is_said_to_be(
    asked: str | None, found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal(60):
        if asked is not None:
            monkeypatch.setenv("COLUMNS", asked)
        assert columns(sys.stderr) == found


def test_a_file_has_no_width() -> None:
    assert columns(io.StringIO()) is None
    assert wrapped("word " * 99, None) == "word " * 99


def test_lines_are_broken_at_spaces_and_commands_are_not() -> None:
    command = "  ganzoo sample a-model-with-a-long-name -n 64 --seed 7 -o grid.png"
    text = wrapped(f"  some words that are too many\n{command}\nhttps://address.that.is/long/and/whole", 20)
    assert text == f"  some words that\n  are too many\n{command}\nhttps://address.that.is/long/and/whole"


def test_an_error_stays_one_line_to_copy_from() -> None:
    with terminal(60) as made:
        assert main(["train", "--model", "dcgan", "--lr", "1e-4"]) == 2
        note("words " * 20)
    hint = "Hint: that is --set generator.lr=2e-4 --set discriminator.lr=2e-4"
    assert hint in made.lines(200)
    assert made.wraps() == [hint]
