"""TensorBoard: a run's metrics, figures and sample grids, as event files in its directory.

It watches only runs that ask for it (``ganzoo train --observer tensorboard``), and imports nothing for the others.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ganzoo import hookimpl

if TYPE_CHECKING:
    from ganzoo import Run, TrainResult
    from ganzoo_plugins.tensorboard.events import Events

NAME = "tensorboard"

_watched: "dict[Run, Events]" = {}


@hookimpl
def ganzoo_run_started(run: "Run") -> None:
    """Open the event file."""
    if NAME in run.config.observers:
        from ganzoo_plugins.tensorboard.events import Events

        _watched[run] = Events(run)


@hookimpl
def ganzoo_report(run: "Run", step: int, metrics: Mapping[str, float]) -> None:
    """Write the means, and the grids that were drawn since the last call."""
    if events := _watched.get(run):
        events.scalars("training", step, metrics)
        events.grids()


@hookimpl
def ganzoo_evaluated(run: "Run", step: int, figures: Mapping[str, float]) -> None:
    """Write the figures."""
    if events := _watched.get(run):
        events.scalars("evaluation", step, figures)


@hookimpl
def ganzoo_run_ended(run: "Run", result: "TrainResult | None") -> None:
    """Write the last grids, and close the file."""
    if events := _watched.pop(run, None):
        events.grids()
        events.close()
