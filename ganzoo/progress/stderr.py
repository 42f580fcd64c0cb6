"""What a person is told on stderr by a command or a call: as wide as the terminal is, and as it can show it."""

import contextlib
import os
import re
import sys
import threading
from contextvars import ContextVar
from typing import IO, Any

from ganzoo.progress.colours import coloured, is_open, is_terminal

# Control characters; the marks that turn the direction of writing; other ends of a line; signs that nobody sees, but
# for the two that join letters or part them; halves of characters.
_CONTROLS = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f"
    "\\ud800-\\udfff\\ufeff\\ufff9-\\ufffb\\U000e0000-\\U000e007f]"
)


_quiet = ContextVar("_quiet", default=False)

_shown = threading.Event()
"""Set while the line holds what ``show`` has drawn."""

USUAL = 80
"""Columns of a terminal that does not say how wide it is."""

CLEAR_LINE = "\r\x1b[K"


def be_quiet(value: bool) -> None:
    """Tell nothing but what must be known from now on, or everything again: ``--quiet``."""
    _quiet.set(value)


def draws() -> bool:
    """Whether a line can be drawn anew on stderr, a terminal or the output of a notebook's cell, and may be."""
    return not _quiet.get() and (in_notebook() or (is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"))


def in_notebook() -> bool:
    """Whether stderr is the output of a notebook's cell."""
    return type(sys.stderr).__module__.startswith("ipykernel.")


def show(what: str) -> None:
    """Draw what is done in place of what is drawn; the next thing that is told takes its place."""
    clear()
    _write(f"{what} …")
    _shown.set()


def clear() -> None:
    """Leave an empty line in place of what is drawn; a notebook has no sign for that."""
    _write(f"\r{' ' * USUAL}\r" if in_notebook() else CLEAR_LINE)
    _shown.clear()


def make_room() -> None:
    """Clear what ``show`` has drawn, if it is still there."""
    if _shown.is_set():
        clear()


def note(message: str) -> None:
    """Tell the person something that is not data, unless they asked for quiet."""
    if not _quiet.get():
        say(message)


def say(message: str) -> None:
    """Tell the person what they must know, such as a warning."""
    say_whole(wrapped(printable(message), columns(sys.stderr)))


def say_whole(message: str) -> None:
    """The same in one line, however long: it may hold a command to copy."""
    make_room()
    _write(f"{coloured(printable(message), sys.stderr)}\n")


def _write(text: str) -> None:
    """Write to stderr, if there is one: a daemon may have closed it, and ``pythonw`` opens none."""
    if is_open(sys.stderr):
        sys.stderr.write(text)
        sys.stderr.flush()


def columns(stream: IO[str] | Any) -> int | None:
    """The width of the terminal that a stream is, or what ``COLUMNS`` says of it; None: it is none."""
    if not is_terminal(stream):
        return None
    with contextlib.suppress(KeyError, ValueError):
        if (asked := int(os.environ["COLUMNS"])) > 0:
            return asked
    with contextlib.suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns or USUAL
    return USUAL


def wrapped(text: str, width: int | None) -> str:
    """Text whose lines are broken at spaces, further ones as far in as the first; commands to copy stay whole."""
    if width is None:
        return text
    return "\n".join(
        line if len(line) <= width or line.lstrip().startswith("ganzoo ") else _broken(line, width)
        for line in text.split("\n")
    )


def _broken(line: str, width: int) -> str:
    import textwrap

    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def printable(text: str) -> str:
    """Text for a terminal: what would move its cursor, colour it, or turn the direction of writing, as an escape.

    Line ends and tabs stay.
    """
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def in_line(text: str) -> str:
    """The same for a part of a line, in which line ends and tabs are escapes, too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")
