"""Trainings, new ones and such as go on."""

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ganzoo.api.door import as_reference, needing_torch
from ganzoo.api.known import open_registry
from ganzoo.files import checked
from ganzoo.machine import alone

if TYPE_CHECKING:
    from ganzoo.api.door import Reference
    from ganzoo.config import Keys, Settings
    from ganzoo.observer import Observer
    from ganzoo.pipeline.plan import Plan
    from ganzoo.records.result import TrainResult


@needing_torch()
def train(
    model: str | None = None,
    *,
    settings: "Settings | None" = None,
    resume: "Reference | None" = None,
    init_from: "Reference | None" = None,
    registry: str | Path | None = None,
    runs: str | Path = "runs",
    export: bool = True,
    strict: bool = False,
    observer: "Observer | None" = None,
    progress: bool = True,
    **keys: "Unpack[Keys]",
) -> "TrainResult":
    """Train a model, register the result, and export it to ONNX.

    ``ganzoo.train("dcgan", data="photos", size=32, steps=200, generator={"lr": 1e-4})``

    Args:
        model: the model's name; may also stand in ``settings``, or be left to ``resume`` or ``init_from``.
        settings: configuration over the model's defaults, as nested tables, such as those of a TOML file.
        resume: a run's directory, ``name/number`` below ``runs``, ``name`` for its newest, or ``last``.
        init_from: a reference to the version whose weights to start from.
        registry: where to register; see ``ganzoo.files.registry_root``.
        runs: the directory in which the run's directory is made.
        export: whether to export to ONNX at the end.
        strict: refuse a data folder with unreadable images, instead of skipping them.
        observer: is told how it goes, in the place of the bar.
        progress: show a bar, and what a person should know, in a terminal or a notebook; nothing elsewhere.
        keys: any key of the configuration, a table as a dict; see ``ganzoo.config.RunConfig``. None of them, nor
            ``model`` and ``init_from``, may stand in ``settings``, too.

    Raises:
        TrainingStopped: by SIGINT, SIGTERM or SIGHUP; a checkpoint is safe.
        GanzooError: anything else; a diverged run is never registered.
    """
    from ganzoo.config import as_settings
    from ganzoo.pipeline.draft import Draft, check_start, draft_new, draft_resumed
    from ganzoo.records.run import Run

    check_start(resume, init_from)
    resume = None if resume is None else as_reference(resume)
    asked, store, place = (
        as_settings(settings, _named(model, init_from, **keys)),
        open_registry(registry),
        checked(runs, "runs"),
    )

    def draft(run: str | None) -> Draft:
        if run:
            return draft_resumed(Run.meant(run, place), None, asked)
        return draft_new(store, None, asked)

    # Before torch is imported, so that errors show at once. One of several ranks must not fail before it has joined the
    # others, because they would wait for it.
    drafted = draft(resume) if alone() else None

    from ganzoo.pipeline.session import Session
    from ganzoo.progress.training import watched
    from ganzoo.training.ranks import joined

    with watched(observer, progress) as told, joined(str(asked.get("device", "auto"))) as ranks:
        session = Session(store, place, strict=strict, observer=told, ranks=ranks)
        if drafted is None:
            drafted = draft(ranks.share(str(Run.meant(resume, place).directory)) if resume else None)
        started = session.begin(drafted, export=export)
        del drafted  # it holds images as they were read
        return session.finish(*started, export=export)


@needing_torch()
def plan(
    model: str | None = None,
    *,
    settings: "Settings | None" = None,
    init_from: "Reference | None" = None,
    registry: str | Path | None = None,
    strict: bool = False,
    **keys: "Unpack[Keys]",
) -> "Plan":
    """What ``train`` would do: reads the data and builds the networks, but writes nothing. Arguments: see there."""
    from ganzoo.config import as_settings
    from ganzoo.pipeline.draft import check_start, draft_new

    check_start(None, init_from)
    store, asked = open_registry(registry), as_settings(settings, _named(model, init_from, **keys))
    drafted = draft_new(store, None, asked)

    from ganzoo.pipeline.session import Session

    return Session(store, Path("runs"), strict=strict).plan(drafted)


def _named(model: str | None, init_from: "Reference | None", **keys: "Unpack[Keys]") -> "Settings":
    """The keys of the configuration that were given as arguments."""
    named: Settings = {
        **keys,
        **({} if model is None else {"model": model}),
        **({} if init_from is None else {"init_from": as_reference(init_from)}),
    }
    return named
