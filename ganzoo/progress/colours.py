"""Colours on terminals that want them: first words of lines that matter, and the headers of tables.

https://no-color.org: a variable NO_COLOR that is not empty turns them off, as does TERM=dumb.
"""

import os
import re
from typing import IO, Any

RESET = "\x1b[0m"
RED, GREEN, YELLOW, CYAN, BOLD = ("\x1b[1;31m", "\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[1m")
COLOURS = {
    r"Error:": RED,
    r"Hint:": CYAN,
    r"Warning:": YELLOW,
    r"gate passed:": GREEN,
    r"Next:$": BOLD,
    r"[A-Z](?:[A-Z0-9 ,_/-]|\([^()\n]*\))*$": BOLD,  # the header of a table, whose names have small letters
}
_LINE = re.compile("^(?:" + "|".join(f"({pattern})" for pattern in COLOURS) + ")", re.MULTILINE)


def is_open(stream: IO[str] | Any) -> bool:
    """Whether a stream can be written to: it was not closed, nor None, as ``sys.stderr`` is where there is none."""
    return stream is not None and not getattr(stream, "closed", False)


def is_terminal(stream: IO[str] | Any) -> bool:
    """Whether a stream is a terminal; one that is not open is none."""
    return is_open(stream) and stream.isatty()


def wanted(stream: IO[str] | Any) -> bool:
    """Whether a stream is a terminal whose owner wants colours."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured(text: str, stream: IO[str] | Any) -> str:
    """Text for a stream, coloured if that wants it; nothing but escapes for colours is added."""
    if not wanted(stream):
        return text
    paints = list(COLOURS.values())
    return _LINE.sub(lambda found: f"{paints[(found.lastindex or 1) - 1]}{found[0]}{RESET}", text)
