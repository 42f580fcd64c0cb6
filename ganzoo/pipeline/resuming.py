"""Resuming: which run goes on, from which weights, and what its configuration may not change."""

import shlex
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganzoo.config import CHANGEABLE, OF_THE_HARDWARE, RunConfig, ScheduleName, changes
from ganzoo.data import ImageSet
from ganzoo.errors import IntegrityError, NotFoundError, UsageError
from ganzoo.networks.weights import load_network
from ganzoo.observer import Observer
from ganzoo.pipeline import environment
from ganzoo.records.run import Run
from ganzoo.records.trained import trained
from ganzoo.training import checkpoint
from ganzoo.training.ranks import Ranks
from ganzoo.training.trainer import Trainer
from ganzoo_registry import Registry, Version


def run_of_this_launch(runs: Path, config: RunConfig, images: ImageSet, *, restarted: bool) -> Run | None:
    """The run that this launch of torchrun began with ``config`` on ``images``; None: it has not begun one.

    A finished run is returned only after a restart; otherwise the same command starts a new one.

    Args:
        restarted: whether torchrun says that it started its processes again. It does not say so if a host came or
            went; such a restart is known by the launch's own name.
    """
    launch = environment.launch()
    if not launch or not (restarted or environment.named()):
        return None
    for run in Run.launched(launch, runs):
        same = _changed(run.config, config) <= OF_THE_HARDWARE and _digest(run) == images.digest
        if same and (restarted or not _finished(run)):
            return run
    return None


def restore(trainer: Trainer, run: Run, store: Registry, ranks: Ranks, observer: Observer) -> None:
    """Bring ``trainer`` to the newest whole checkpoint of ``run``; if there are no checkpoints, to where the run began.

    Raises:
        NotFoundError: there are checkpoints, and none can be used.
        UsageError: the run has already taken more steps than ``config.steps``.
    """
    _read_newest(trainer, run, store, ranks, observer)
    done = max(trainer.steps_done, run.recorded_steps() or 0)
    if done > trainer.config.steps:  # what is on record after the last step would be dropped, and never come again
        raise UsageError(f"{run.directory} has {done} steps already", hint=f"--steps must be at least {done}")


def _read_newest(trainer: Trainer, run: Run, store: Registry, ranks: Ranks, observer: Observer) -> None:
    checkpoints = run.checkpoints()
    if not checkpoints:
        _refuse_without_checkpoint(run)
        if run.config.init_from:
            parent = store.resolve(run.config.init_from)
            load_parent(trainer, store, parent, run.facts["data"]["class_names"], observer.noted)
        return
    for path in reversed(checkpoints):
        try:
            checkpoint.read(trainer, path)
            return
        except IntegrityError as error:
            observer.noted(f"{error}; trying the one before")
    anew = f"start it anew: ganzoo train --config {shlex.quote(str(run.directory / 'config.toml'))}"
    raise NotFoundError(f"{run.directory} has no usable checkpoint", hint=anew)


def _refuse_without_checkpoint(run: Run) -> None:
    """Refuse to begin anew over what a run has recorded.

    Raises:
        NotFoundError: it has recorded something.
    """
    done = run.recorded_steps()
    if done is None and not _finished(run):
        return
    ended = "it is finished, and its" if _finished(run) else f"it has {done} steps on record, and their"
    raise NotFoundError(
        f"{run.directory} cannot go on: {ended} checkpoints are gone",
        hint=f"start it anew: ganzoo train --config {shlex.quote(str(run.directory / 'config.toml'))}",
    )


def load_parent(
    trainer: Trainer, store: Registry, parent: Version, class_names: Sequence[str], note: Callable[[str], None]
) -> Mapping[str, str]:
    """Start from the weights of a registered version.

    Args:
        class_names: the classes of the data, in the order of their labels; empty where the networks take no labels.
        note: is told if the version's labels now mean other classes.

    Returns:
        The parent's name and digest, as the lineage records them.

    Raises:
        UsageError: the weights are not of these networks, or a class that both have has another label in each.
    """
    check_classes(trained(store, parent, "generator")["generator"]["class_names"], class_names, parent, note)
    for kind, module in trainer.modules().items():
        try:
            load_network(module, store.read(parent, kind), str(parent))
        except IntegrityError as error:
            hint = "fine-tune with the same model, options, size and classes"
            raise UsageError(f"--init-from {error}", hint=hint) from error
    return {"relation": "init-from", "name": parent.name, "digest": parent.digest}


def check_classes(were: Sequence[str], are: Sequence[str], parent: object, note: Callable[[str], None]) -> None:
    """Refuse that a label means one class in the weights and another one in the data, where both have that class.

    Raises:
        UsageError: it would; names the first such class; or they have different numbers of classes.
    """
    old, new = ([unicodedata.normalize("NFC", name) for name in names] for names in (were, are))
    if old == new or not old or not new:  # one that takes no labels has other shapes, which says more
        return
    if len(old) != len(new):
        raise UsageError(
            f"--init-from {parent}: it has {len(old)} classes, and the data {len(new)}",
            hint=f"give data of its classes: {', '.join(map(repr, were[:10]))}{', …' * (len(were) > 10)}",
        )
    for name in new:
        if name in old and old.index(name) != new.index(name):
            raise UsageError(
                f"--init-from {parent}: class {name!r} is number {old.index(name)} there and {new.index(name)} in the "
                "data",
                hint=f"give the data its order: {', '.join(map(repr, were))}",
            )
    note(f"{parent} was trained on other classes; now its labels mean {', '.join(map(repr, are))}")


def refuse_changes(run: Run, config: RunConfig, images: ImageSet) -> None:
    """Refuse changes that would make a resumed run another training.

    Raises:
        UsageError: ``config`` or ``images`` would change what the run computes.
    """
    refused = _changed(run.config, config) - CHANGEABLE
    if refused:
        told = [change for change in changes(run.config, config) if _key(change) in refused]
        raise UsageError(
            f"a resumed run keeps its configuration; this would change {'; '.join(told)}",
            hint="--resume may change steps, logging and paths; for anything else start a run with --init-from",
        )
    if run.config.steps != config.steps and (schedule := _of_the_length(config)):
        raise UsageError(
            f"another number of steps would change the {schedule} of the {run.config.steps} before",
            hint="start a run with --init-from, which has a schedule of its own",
        )
    was = _digest(run)
    if images.digest != was:
        raise UsageError(
            f"{config.data} is not what {run.directory} was trained on: {images.digest[:19]} instead of {was[:19]}",
            hint="start a new run on it, with --init-from to keep the weights",
        )


def _of_the_length(config: RunConfig) -> str | None:
    """What of the configuration depends on the number of steps; None: nothing does."""
    if config.schedule != ScheduleName.CONSTANT:
        return f"{config.schedule} schedule"
    return next((f"schedule of {key}" for key in _following_the_length(config.to_dict())), None)


def _following_the_length(value: Any, key: str = "") -> Iterator[str]:
    """The keys, at any depth, of schedules that end at a share of the run."""
    if isinstance(value, Mapping):
        if isinstance(value.get("until"), str):
            yield key
        for name, each in value.items():
            yield from _following_the_length(each, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _following_the_length(each, key)


def refuse_longer(run: Run, trainer: Trainer) -> None:
    """Refuse another number of steps where a loss or a network reads how much of the run is over.

    Raises:
        UsageError: it does, and the number is another one.
    """
    if trainer.clock.read and run.config.steps != trainer.config.steps:
        raise UsageError(
            f"another number of steps would change step.progress, which is read, in the {run.config.steps} before",
            hint="start a run with --init-from, which has a progress of its own",
        )


def upgraded(were: Sequence[Mapping[str, str]], are: Sequence[Mapping[str, str]]) -> list[str]:
    """A line on each plugin that a run goes on with in another version than it was begun with."""
    before = {(plugin["distribution"], plugin["name"]): plugin["version"] for plugin in were}
    return [
        f"the run was begun with {plugin['distribution']} {old}, and goes on with {plugin['version']}: it may compute "
        "something else from here on"
        for plugin in are
        if (old := before.get((plugin["distribution"], plugin["name"]), plugin["version"])) != plugin["version"]
    ]


def _changed(old: RunConfig, new: RunConfig) -> set[str]:
    """The keys that differ; another device of the same kind counts as the same."""
    same_kind = old.device.partition(":")[0] == new.device.partition(":")[0]
    return {_key(change) for change in changes(replace(old, device=new.device) if same_kind else old, new)}


def _key(change: str) -> str:
    return change.partition(":")[0]


def _digest(run: Run) -> str:
    digest: str = run.facts["data"]["digest"]
    return digest


def _finished(run: Run) -> bool:
    try:
        outcome = run.outcome()
    except IntegrityError:
        return False
    return outcome is not None and outcome.state == "finished"
