"""Which run goes on, and with what."""

from dataclasses import replace
from pathlib import Path

from ganzoo.config import CHANGEABLE, OF_THE_HARDWARE, RunConfig, changes
from ganzoo.data import ImageSet
from ganzoo.errors import IntegrityError, UsageError
from ganzoo.training import environment
from ganzoo.training.run import Run


def under_way(runs: Path, config: RunConfig, images: ImageSet, *, restarted: bool) -> Run | None:
    """The run that this very launch of torchrun has begun with ``config`` on ``images``; None if it is to begin one.

    A launch whose name is its own may go on without having been counted as started again; but what it has finished,
    only what it started again would train a second time.
    """
    launch = environment.launch()
    if not launch or not (restarted or environment.named()):
        return None
    for run in Run.launched(launch, runs):
        same = _changed(run.config, config) <= OF_THE_HARDWARE and _digest(run) == images.digest
        if same and (restarted or not _finished(run)):
            return run
    return None


def refuse_changes(run: Run, config: RunConfig, images: ImageSet) -> None:
    """Refuse what would make another training of it.

    Raises:
        UsageError: ``config`` or ``images`` would change what it computes.
    """
    refused = _changed(run.config, config) - CHANGEABLE
    if refused:
        told = [change for change in changes(run.config, config) if _key(change) in refused]
        raise UsageError(
            f"a resumed run keeps its configuration; this would change {'; '.join(told)}",
            hint="--resume may change steps, reporting and paths; for anything else start a run with --init-from",
        )
    if run.config.steps != config.steps and config.schedule != "constant":
        raise UsageError(
            f"another number of steps would change the {config.schedule} schedule of the {run.config.steps} before",
            hint="start a run with --init-from, which has a schedule of its own",
        )
    was = _digest(run)
    if images.digest != was:
        raise UsageError(
            f"{config.data} is not what {run.directory} was trained on: {images.digest[:19]} instead of {was[:19]}",
            hint="start a new run on it, with --init-from to keep the weights",
        )


def _changed(old: RunConfig, new: RunConfig) -> set[str]:
    """The keys that differ; which of its GPUs a host trains on makes no difference."""
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
