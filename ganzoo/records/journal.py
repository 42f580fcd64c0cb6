"""Logs of JSON lines, each with its step: a run appends to them, and can drop the newest again."""

import contextlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar

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


class Logs:
    """The three logs of a run, in its ``directory``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def metrics_log(self) -> Path:
        """The log with a line every ``report_every`` steps: means of losses, images per second."""
        return self.directory / "metrics.jsonl"

    @property
    def evaluation_log(self) -> Path:
        """The log with a line for each evaluation: its figures."""
        return self.directory / "evaluations.jsonl"

    @property
    def event_log(self) -> Path:
        """The log with a line for each event: what went wrong, and what was done."""
        return self.directory / "events.jsonl"

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Append a line to ``metrics.jsonl``, in which a number that is not finite is null."""
        finite = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        append(self.metrics_log, {"step": step, **finite})

    def record_evaluation(self, step: int, protocol: str, figures: Mapping[str, float]) -> None:
        """Append a line to ``evaluations.jsonl``."""
        append(self.evaluation_log, {"step": step, "protocol": protocol, "figures": dict(figures)})

    def record_event(self, step: int, kind: Literal["recovered", "diverged", "collapse"], message: str) -> None:
        """Append a line to ``events.jsonl``."""
        append(self.event_log, {"step": step, "kind": kind, "message": message})

    def events(self) -> list[Event]:
        """Every event, oldest first."""
        return entries(self.event_log, Event)

    def latest_figures(self, up_to: float = math.inf) -> dict[str, float]:
        """The newest value of each metric up to step ``up_to``, if it is a number.

        A line may lack a metric: the watchdog may not have looked at images since the line before.
        """
        latest: dict[str, Any] = {}
        for entry in sorted(self.reports(), key=lambda entry: entry["step"]):
            if entry["step"] <= up_to:
                latest |= entry
        return {name: value for name, value in latest.items() if name != "step" and value is not None}

    def reports(self) -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl``, oldest first: ``step``, and numbers by name; None for what was not finite."""
        return entries(self.metrics_log, dict[str, int | float | None])

    def all_evaluations(self) -> list[EvaluationLine]:
        """Every evaluation, oldest first."""
        return entries(self.evaluation_log, EvaluationLine)

    def evaluations(self, protocol: str) -> dict[int, dict[str, float]]:
        """Step -> figures of the evaluations by one protocol."""
        return {entry["step"]: entry["figures"] for entry in self.all_evaluations() if entry["protocol"] == protocol}

    def rewind_logs(self, step: int) -> None:
        """Drop what came after ``step``."""
        for log in (self.metrics_log, self.evaluation_log, self.event_log):
            rewind(log, step)


def append(log: Path, entry: Mapping[str, Any]) -> None:
    """Append one line, whole or not at all.

    Raises:
        GanzooError: the line cannot be written.
    """
    size = log.stat().st_size if log.exists() else 0
    try:
        begin = "\n" if size and _is_cut(log, size) else ""  # what a crash cut short must not cost this entry
        with log.open("a", encoding="utf-8") as file:
            file.write(begin + json.dumps(entry) + "\n")
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


def newest(log: Path) -> int | None:
    """The newest step on record; 0 where no line says one; None: there are no lines."""
    lines = _lines(log)
    return int(max((step for step in map(_step, lines) if math.isfinite(step)), default=0)) if lines else None


def rewind(log: Path, step: int) -> None:
    """Drop the entries of steps after ``step``."""
    if log.exists():
        write_atomic(log, b"".join(line + b"\n" for line in _lines(log) if _step(line) <= step))


def _is_cut(log: Path, size: int) -> bool:
    with open(log, "rb") as file:
        file.seek(size - 1)
        return file.read() != b"\n"


def _lines(log: Path) -> list[bytes]:
    return log.read_bytes().splitlines() if log.exists() else []


def _step(line: bytes) -> float:
    """The step of a line; infinite for one that is not whole."""
    try:
        return float(parse_object(line)["step"])
    except (Unreadable, KeyError, TypeError, ValueError):
        return math.inf
