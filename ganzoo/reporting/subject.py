"""The subjects of a report: runs, read from their directories, and registered versions, from their records."""

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ganzoo.config import flat
from ganzoo.errors import NotFoundError
from ganzoo.evaluation.tables import number
from ganzoo.records.directories import LAST
from ganzoo.records.evaluation import Evaluation, attached, keys
from ganzoo.records.outcome import Outcome
from ganzoo.records.run import Run
from ganzoo.records.trained import trained
from ganzoo.reporting.defaults import departures
from ganzoo.reporting.scale import drawable
from ganzoo_registry import InvalidName, NotFound, Registry, Version

RATE, SECONDS = "images_per_second", "seconds"
_DIRECTORIES = re.compile(r"(?<![\w:/.])/(?:[^/\s:;,'\"]+/)+")
"""The directories of an absolute path, which are left out, because a page may be sent to somebody."""

PREVIEW = "preview"
"""The kind under which a version holds its grid of samples."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A run or a version.

    Args:
        name: ``name/number`` of a run, ``name:number`` of a version.
        state: whether a run goes on, or how it ended; when a version was registered.
        facts: what to know first, for a headline.
        tables: what is recorded, in the same sections for all subjects: section -> dotted key -> value.
        picture: its newest grid, as PNG; None if there is none.
        real: training images in the form of the final grid, as PNG; of a version, which holds none, None.
        nearest: the samples nearest to a training image, with these images, as PNG; None where ``real`` is.
        frames: step -> grid of a run, oldest first; empty for a version.
        reports: its training's log lines: ``step``, and numbers by name; empty for a version.
        events: what went wrong in its training, and what was done, a line each.
        best: see ``Ranking``.
        history: evaluations during its training: ``step``, ``protocol`` and ``figures``; empty for a version.
        evaluations: version -> key of a protocol -> what is attached: to a version, or to those that a run registered.
        departures: see ``ganzoo.reporting.defaults``.
        commands: what to type next, a command each.
    """

    name: str
    state: str
    facts: Mapping[str, str]
    tables: Mapping[str, Mapping[str, Any]]
    picture: bytes | None
    real: bytes | None = None
    nearest: bytes | None = None
    frames: Mapping[int, Path] = field(default_factory=dict)
    reports: Sequence[Mapping[str, Any]] = ()
    events: Sequence[str] = ()
    best: str = ""
    history: Sequence[Mapping[str, Any]] = ()
    evaluations: Mapping[str, Mapping[str, Evaluation]] = field(default_factory=dict)
    departures: Mapping[str, tuple[Any, Any]] | None = None
    commands: Sequence[str] = ()


def of_run(run: Run, store: Registry, depth: int = 2) -> Subject:
    """A run as it is now.

    Args:
        store: has what is attached to the versions that it registered.
        depth: how many of its directory's last parts make its name.

    Raises:
        RegistryError, IntegrityError: the record of its end, or an evaluation, cannot be read.
    """
    outcome = run.outcome()
    reports = run.reports()
    frames = run.samples()
    finished = outcome is not None and outcome.state == "finished"
    if outcome and finished and run.grid_path.is_file():
        frames[outcome.step] = run.grid_path
    registered = _registered(store, outcome)
    last = run.latest_figures()
    rates = [rate for entry in reports if (rate := drawable(entry.get(RATE)))]
    facts = _facts(run.shown_config(), run.facts["data"]) | {
        "steps": _steps(run, outcome, reports),
        "begun": f"{datetime.fromtimestamp(run.touched(), UTC):%Y-%m-%d %H:%M} UTC",
        **({"median speed": f"{statistics.median(rates):,.0f} images/s"} if rates else {}),
        **_duration(last),
        **({f"{which} version": reference for which, reference in outcome.versions.items()} if outcome else {}),
    }
    return Subject(
        name="/".join(run.directory.resolve().parts[-depth:]),
        state=_state(run, outcome, reports),
        facts=facts,
        tables={
            "Latest figures": _rounded(last),
            "Configuration": flat(run.shown_config()),
            "Data": flat(run.facts["data"]),
            "Environment": flat(run.facts["environment"]),
            "Origin": {"parents": _parents(run.facts["parents"])},
        },
        picture=frames[max(frames)].read_bytes() if frames else None,
        real=run.real_path.read_bytes() if finished and run.real_path.is_file() else None,
        nearest=run.nearest_path.read_bytes() if finished and run.nearest_path.is_file() else None,
        frames=frames,
        reports=reports,
        events=[event["message"] for event in run.events()],
        best=run.config.best,
        history=run.all_evaluations(),
        evaluations=_evaluations(store, registered),
        departures=departures(run.shown_config()),
        commands=[line for reference in registered for line in _next(store, reference)],
    )


def of_version(store: Registry, version: Version) -> Subject:
    """A registered version.

    Raises:
        RegistryError, IntegrityError: one of its records is damaged.
    """
    lineage = trained(store, version)
    steps = f"{lineage['training']['steps']:,}"
    return Subject(
        name=str(version),
        state=f"registered {version.created[:16].replace('T', ' ')} UTC",
        facts={**_facts(lineage["config"], lineage["data"]), "steps": steps, **_duration(lineage["metrics"])},
        tables={
            "Latest figures": _rounded(lineage["metrics"]),
            "Configuration": flat(lineage["config"]),
            "Data": flat(lineage["data"]),
            "Environment": flat(lineage["environment"]),
            "Origin": {
                "digest": version.digest,
                "images shown": lineage["training"]["images"],
                "parents": _parents(lineage["parents"]),
                "plugins": ", ".join(
                    f"{each['distribution']}/{each['name']} {each['version']}" for each in lineage["plugins"]
                ),
                **flat(lineage["extra"]),
            },
        },
        picture=store.read(version, PREVIEW) if PREVIEW in store.kinds(version) else None,
        events=[event["message"] for event in lineage["training"].get("events", [])],
        evaluations=_evaluations(store, [str(version)]),
        departures=departures(lineage["config"]),
        commands=_next(store, str(version)),
    )


def _registered(store: Registry, outcome: Outcome | None) -> list[str]:
    """References of the versions that a run registered, without those by which this registry means others."""
    if outcome is None:
        return []
    others = set()
    for which, reference in outcome.versions.items():
        with suppress(NotFound):
            digest = store.resolve(reference).digest
            others |= {reference} if digest != outcome.digests.get(which, digest) else set()
    return [reference for reference in outcome.versions.values() if reference not in others]


def find(reference: str, runs: Path, store: Registry) -> Run | Version:
    """The run or version that a person means: a run's directory, ``NAME/N`` below ``runs`` or ``last``; else a version.

    Raises:
        NotFoundError: it is neither, or both.
        RegistryError: the registry is damaged.
    """
    run = None
    with suppress(NotFoundError):
        run = Run.find(reference, runs)
    try:
        version = store.resolve(reference)
    except (NotFound, InvalidName) as error:
        if run:
            return run
        if reference == LAST or "/" in reference:
            hint = f"give a run's directory, NAME/N below {runs}, or {LAST}"
            raise NotFoundError(f"no run {reference!r} in {runs}", hint=hint) from error
        raise NotFoundError(f"{reference!r} is no run in {runs}, and {error}", hint=error.hint) from error
    if run:
        hint = f"write {run.directory}, or {version}"
        raise NotFoundError(f"{reference!r} is the run {run.directory} and the version {version}", hint=hint)
    return version


def _facts(config: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, str]:
    """The facts that the records of runs and of versions share."""
    return {
        "model": str(config["model"]),
        "data": f"{data['name']}, {data['count']:,} images",
        "size": f"{config['size']} × {config['size']} pixels",
        "steps": f"{config['steps']:,}",
        "batch": f"{config['batch']:,}",
        "trained on": f"{config['device']} in {config['precision']}",
    }


def _duration(metrics: Mapping[str, float]) -> dict[str, str]:
    return {"training time": f"{metrics[SECONDS]:,.0f} s"} if SECONDS in metrics else {}


def _evaluations(store: Registry, references: Iterable[str]) -> dict[str, dict[str, Evaluation]]:
    """What is attached to the versions that are there still."""
    found = {}
    for reference in references:
        with suppress(NotFound):
            version = store.resolve(reference)
            found[reference] = {key: each for key in keys(store, version) if (each := attached(store, version, key))}
    return found


def _next(store: Registry, reference: str) -> list[str]:
    """What to do with a version; of one that takes labels all classes are sampled."""
    with suppress(NotFound):
        if store.lineage(store.resolve(reference))["generator"]["class_names"]:
            return [f"ganzoo sample {reference} --label all", f"ganzoo eval {reference}", f"ganzoo serve {reference}"]
    return [f"ganzoo {command} {reference}" for command in ("sample", "eval", "serve")]


def _rounded(metrics: Mapping[str, float]) -> dict[str, str]:
    return {name: number(value) for name, value in metrics.items()}


def _parents(parents: Sequence[Mapping[str, str]]) -> str:
    return "; ".join(f"{each['relation']} {each['name']}@{each['digest']}" for each in parents) or "none"


def _state(run: Run, outcome: Outcome | None, reports: Sequence[Mapping[str, Any]]) -> str:
    """``finished``, ``running, at step 100 of 600`` …"""
    steps = _steps(run, outcome, reports)
    if outcome is None:
        return f"{'running, at' if run.in_use() else 'broke off after'} step {steps}"
    if outcome.state == "finished" and outcome.step == run.config.steps:
        return "finished"
    reason = f": {_DIRECTORIES.sub('', outcome.reason)}" if outcome.reason else ""
    return f"{outcome.state} after step {steps}{reason}"


def _steps(run: Run, outcome: Outcome | None, reports: Sequence[Mapping[str, Any]]) -> str:
    """How many steps were taken, and of how many, if there were to be more."""
    done, total = outcome.step if outcome else int(reports[-1]["step"]) if reports else 0, run.config.steps
    return f"{total:,}" if done == total else f"{done:,} of {total:,}"
