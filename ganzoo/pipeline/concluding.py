"""The end of a run: plugins are told how it ended, and its directory records it."""

from ganzoo import reporting
from ganzoo.errors import TrainingStopped, message
from ganzoo.pipeline.hooks import WithHooks
from ganzoo.records.outcome import Outcome
from ganzoo.records.result import TrainResult
from ganzoo.records.run import Run
from ganzoo_registry import Registry


def broken_off(error: BaseException, step: int) -> Outcome:
    """The outcome of a run whose training or registration ``error`` ended after ``step`` steps."""
    interrupted = isinstance(error, KeyboardInterrupt)
    stopped = interrupted or isinstance(error, TrainingStopped)
    reason = "interrupted" if interrupted else message(error)
    return Outcome(state="stopped" if stopped else "failed", step=step, reason=reason or type(error).__name__)


def conclude(run: Run, outcome: Outcome, result: TrainResult | None, store: Registry, observer: WithHooks) -> None:
    """Tell the plugins that the run is over, record how it ended, and write its report."""
    observer.notify("ganzoo_run_ended", run=run, result=result)
    reporting.conclude(run, outcome, store, observer.noted)
