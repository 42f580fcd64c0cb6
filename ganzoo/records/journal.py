"""Logs of JSON lines, each with its step: a run appends to them, and can drop the newest again."""

import contextlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import msgspec

from ganzoo.files import Unreadable, cannot_write, parse_object, write_atomic

Entry = TypeVar("Entry")


class Event(TypedDict):
    """An event: what went wrong in ``step``, and what was done."""

    step: int
    kind: str
    message: str


class EvaluationLine(TypedDict):
    """An evaluation after ``step`` steps: figures by name, of one protocol."""

    step: int
    protocol: str
    figures: dict[str, float]


def append(log: Path, entry: Mapping[str, Any]) -> None:
    """Append one line, whole or not at all.

    Raises:
        GanzooError: the line cannot be written.
    """
    size = log.stat().st_size if log.exists() else 0
    try:
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
    except OSError as error:
        with contextlib.suppress(OSError):
            os.truncate(log, size)
        raise cannot_write(log, error) from error


def entries(log: Path, kind: type[Entry]) -> list[Entry]:
    """The entries, oldest first; a line that a crash cut short, or that is damaged, is left out."""
    found = []
    for line in _lines(log):
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if math.isfinite(_step(line)):
                found.append(msgspec.json.decode(line, type=kind))
    return found


def rewind(log: Path, step: int) -> None:
    """Drop the entries of steps after ``step``."""
    if log.exists():
        write_atomic(log, b"".join(line + b"\n" for line in _lines(log) if _step(line) <= step))


def _lines(log: Path) -> list[bytes]:
    return log.read_bytes().splitlines() if log.exists() else []


def _step(line: bytes) -> float:
    """The step of a line; infinite for one that is not whole."""
    try:
        return float(parse_object(line)["step"])
    except (Unreadable, KeyError, TypeError, ValueError):
        return math.inf
