"""What a list of runs says of each: how it goes or ended, its best figures, its versions, and its size on disk."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ganzoo.errors import GanzooError
from ganzoo.records.best import Ranking
from ganzoo.records.directories import numbered
from ganzoo.records.run import Run

State = Literal["training", "finished", "stopped", "failed", "broken off", "unreadable"]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A run in a list.

    Args:
        name: ``NAME/N``.
        directory: where it is.
        state: ``broken off`` is one that ended without a record, ``unreadable`` one whose files are damaged.
        reason: one line on why it ended before its last step, or cannot be read; empty if there is nothing to say.
        began: Unix time when it was begun, or gone on with.
        model, loss, data: names.
        step, steps: done, and to be done.
        seconds: of training.
        figures: those of its best evaluation, the deciding ones alone, in words.
        size: bytes on disk.
        checkpoints: bytes of these that checkpoints take.
        versions: what it registered: ``last`` and, if it is another one, ``best`` -> reference.
    """

    name: str
    directory: Path
    state: State
    reason: str = ""
    began: float = 0.0
    model: str = ""
    loss: str = ""
    data: str = ""
    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    figures: str = ""
    size: int = 0
    checkpoints: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)


def summaries(runs: Path, better: Callable[[], Mapping[str, str]]) -> list[Summary]:
    """The runs in a directory, the newest first; those that cannot be read say so.

    Args:
        runs: directory of the runs.
        better: gives figure -> which is better; see ``Zoo.figures``. It is called if a run was evaluated.
    """
    found = [summary(directory, better) for directory in numbered(runs, "config.toml")]
    return sorted(found, key=lambda each: (each.began, each.name), reverse=True)


def summary(directory: Path, better: Callable[[], Mapping[str, str]]) -> Summary:
    """The same of one run."""
    name = f"{directory.parent.name}/{directory.name}"
    size, checkpoints = disk(directory), disk(directory / "checkpoints")
    try:
        run = Run.find(str(directory), directory)
        outcome = run.outcome()
    except GanzooError as error:
        return Summary(
            name=name, directory=directory, state="unreadable", reason=str(error), size=size, checkpoints=checkpoints
        )
    training = run.in_use()
    ended: State = outcome.state if outcome else "broken off"
    return Summary(
        name=name,
        directory=directory,
        state="training" if training else ended,
        reason=outcome.reason if outcome and not training else "",
        began=run.touched(),
        model=run.config.model,
        loss=run.config.loss,
        data=str(run.facts["data"]["name"]),
        step=outcome.step if outcome and not training else run.recorded_steps() or 0,
        steps=run.config.steps,
        seconds=run.latest_figures().get("seconds", 0.0),
        figures=_best(run, better),
        size=size,
        checkpoints=checkpoints,
        versions=outcome.versions if outcome else {},
    )


def _best(run: Run, better: Callable[[], Mapping[str, str]]) -> str:
    evaluated = run.all_evaluations()
    if not evaluated:
        return ""
    ranking = Ranking(run.config.best, better())
    figures = run.evaluations(evaluated[-1]["protocol"])
    best = ranking.best(figures)
    return "" if best is None else ranking.reason(figures[best])


def disk(place: Path) -> int:
    """Bytes of all files in a directory; 0 if there is none."""
    return sum(
        (Path(home) / name).lstat().st_size
        for home, _, names in os.walk(place)
        for name in names
        if os.path.lexists(Path(home) / name)
    )
