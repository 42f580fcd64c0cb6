"""``ganzoo runs``: the trainings in a directory, how they go or ended, and the room that they take."""

import shlex
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.cli import completion
from ganzoo.cli.groups import Group
from ganzoo.cli.output import amount, emit, json_option, note, print_data, runs_option, span
from ganzoo.cli.tables import listing, table
from ganzoo.errors import UsageError

if TYPE_CHECKING:
    from ganzoo.records.summary import Summary


@click.group(cls=Group, no_args_is_help=False)
def command() -> None:
    """Look at the runs of ``ganzoo train``, and remove them.

    A RUN is a run's directory, NAME/N, NAME for its newest run, or last.
    """


@command.command()
@runs_option
@json_option
def ls(runs: Path, as_json: bool) -> None:
    """List the runs, the newest first."""
    from ganzoo.records.summary import summaries

    found = summaries(runs, _better)
    emit([_data(each) for each in found], as_json, lambda _: _listing(found))
    if not found:
        note(f"There is no run in {runs}. Train something: ganzoo train --model wgan-gp")


@command.command()
@click.argument("run", shell_complete=completion.runs)
@runs_option
@json_option
def show(run: str, runs: Path, as_json: bool) -> None:
    """Say how a run goes or ended, what came of it, and where its files are."""
    from ganzoo.records.summary import summary

    found = summary(_place(run, runs), _better)
    emit(_data(found), as_json, lambda _: _page(found))
    if found.state in ("stopped", "failed", "broken off"):
        note(f"Next:\n  ganzoo train --resume {shlex.quote(str(found.directory))}")


@command.command()
@click.argument("references", nargs=-1, required=True, metavar="RUN…", shell_complete=completion.runs)
@click.option("--checkpoints", is_flag=True, help="Remove checkpoints alone: a run without them cannot go on.")
@runs_option
def rm(references: tuple[str, ...], checkpoints: bool, runs: Path) -> None:
    """Remove runs. Versions that they registered stay in the registry.

    A run that is being trained is refused.
    """
    from ganzoo.records.directories import in_use, locked, require_removable
    from ganzoo.records.summary import disk

    found = list({run.resolve(): run for run in (_place(each, runs) for each in references)}.values())
    for run in found:
        require_removable(run)
        if in_use(run):
            raise UsageError(f"{run} is being trained", hint="stop it first: Ctrl-C, or kill its process")
    freed = 0
    for run in found:
        with locked(run):
            goes = run / "checkpoints" if checkpoints else run
            if goes.exists():
                freed += disk(goes)
                shutil.rmtree(goes)
        if not checkpoints and not any(run.parent.iterdir()):
            run.parent.rmdir()
    what = "the checkpoints of " if checkpoints else ""
    note(f"Removed {what}{', '.join(map(str, found))}: {amount(freed)}.")


@command.command(name="open")
@click.argument("run", shell_complete=completion.runs)
@runs_option
def open_(run: str, runs: Path) -> None:
    """Show a run's report in a browser, and print its path."""
    from ganzoo import api

    path = api.report([str(_place(run, runs))], runs=runs, noted=note)
    click.launch(str(path))
    print_data(path)


def _place(reference: str, runs: Path) -> Path:
    from ganzoo.records.directories import place

    return place(reference, runs, named=True)


def _better() -> Mapping[str, str]:
    from ganzoo.zoo.names import zoo  # it needs the plugins, which a list of runs without evaluations does not

    return zoo().figures()


def _data(summary: "Summary") -> dict[str, Any]:
    return {**asdict(summary), "directory": str(summary.directory)}


COLUMNS: Mapping[str, Callable[["Summary"], str]] = {
    "RUN": lambda run: run.name,
    "MODEL": lambda run: run.model,
    "LOSS": lambda run: run.loss,
    "DATA": lambda run: run.data,
    "STATE": lambda run: run.state,
    "STEPS": lambda run: _steps(run),
    "TIME": lambda run: span(run.seconds) if run.seconds else "",
    "BEST": lambda run: run.figures,
    "DISK": lambda run: amount(run.size),
    "VERSION": lambda run: ", ".join(dict.fromkeys(run.versions.values())),
}


def _steps(run: "Summary") -> str:
    if not run.steps:
        return ""
    return f"{run.steps:,}" if run.step == run.steps else f"{run.step:,} of {run.steps:,}"


def _listing(found: Sequence["Summary"]) -> str:
    rows = [[cell(run) for cell in COLUMNS.values()] for run in found]
    return table(list(COLUMNS), rows, dispensable=("LOSS", "TIME", "MODEL", "DISK", "DATA", "STEPS"))


def _page(run: "Summary") -> str:
    report = run.directory / "report.html"
    facts = {
        "run": run.name,
        "directory": str(run.directory),
        "begun": time.strftime("%Y-%m-%d %H:%M", time.localtime(run.began)) if run.began else "",
        "model": run.model,
        "loss": run.loss,
        "data": run.data,
        "state": run.state,
        "because": run.reason,
        "steps": _steps(run),
        "time": span(run.seconds) if run.seconds else "",
        "best": run.figures,
        **{f"registered ({which})": version for which, version in run.versions.items()},
        "on disk": f"{amount(run.size)}, {amount(run.checkpoints)} of it checkpoints",
        "report": str(report) if report.exists() else "",
    }
    return listing((name, fact) for name, fact in facts.items() if fact)
