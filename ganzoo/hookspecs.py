"""The plugin contract: every hook that ganzoo calls. Implement any of them with ``@ganzoo.hookimpl``."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from ganzoo.records.result import TrainResult
    from ganzoo.records.run import Run
    from ganzoo.specs import Spec
    from ganzoo_registry import Version

hookspec = pluggy.HookspecMarker("ganzoo")
hookimpl = pluggy.HookimplMarker("ganzoo")


# Historic: each plugin is called the moment it is registered, so a result, or an exception, belongs to exactly one.
@hookspec(historic=True)
def ganzoo_specs() -> "Iterable[Spec]":  # type: ignore[empty-body]
    """Architectures, losses, models, data sets … (see ``ganzoo.specs``). Called once, when the plugin is loaded."""


@hookspec
def ganzoo_run_started(run: "Run") -> None:
    """A run is about to take its first step (or, resumed, its next)."""


@hookspec
def ganzoo_report(run: "Run", step: int, metrics: Mapping[str, float]) -> None:
    """Called every ``report_every`` steps with the means since the last call; never at every step."""


@hookspec
def ganzoo_evaluated(run: "Run", step: int, figures: Mapping[str, float]) -> None:
    """Called at every evaluation (``eval_every``) with the figures of the weights after ``step`` steps."""


@hookspec
def ganzoo_run_ended(run: "Run", result: "TrainResult | None") -> None:
    """The run is over; ``result`` is None if it was stopped or failed."""


@hookspec
def ganzoo_registered(run: "Run", version: "Version") -> None:
    """A version was registered: the best weights of a run, or the last ones. It has not been exported yet."""


@hookspec
def ganzoo_alias_moved(version: "Version", alias: str) -> None:
    """``alias`` was moved to ``version`` by ``ganzoo registry alias``, or ``ganzoo.api.move_alias``."""


@hookspec
def ganzoo_lineage(run: "Run") -> Mapping[str, Any]:  # type: ignore[empty-body]
    """Return JSON to record in the version's lineage, under the plugin's own name."""
