"""Logs of JSON lines, each of a step: what a run reports, and can take back."""

import contextlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganzoo.files import cannot_write, write_atomic


def append(log: Path, entry: Mapping[str, Any]) -> None:
    """One line more, or, if it cannot be written, none.

    Raises:
        GanzooError: it cannot be.
    """
    size = log.stat().st_size if log.exists() else 0
    try:
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
    except OSError as error:
        with contextlib.suppress(OSError):
            os.truncate(log, size)
        raise cannot_write(log, error) from error


def entries(log: Path) -> list[dict[str, Any]]:
    """What was written, oldest first; a line that a crash cut short does not count."""
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    return [json.loads(line) for line in lines if math.isfinite(_step(line))]


def rewind(log: Path, step: int) -> None:
    """Drop what was written after ``step``."""
    if log.exists():
        kept = [line for line in log.read_text("utf-8").splitlines() if _step(line) <= step]
        write_atomic(log, "".join(f"{line}\n" for line in kept).encode())


def _step(line: str) -> float:
    """The step of a line; infinite for one that a crash cut short."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
