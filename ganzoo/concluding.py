"""How a run ended, for whoever comes to look: plugins are told, and its directory says so."""

from collections.abc import Iterator
from contextlib import contextmanager

from ganzoo import reporting
from ganzoo.errors import TrainingStopped
from ganzoo.hooks import WithHooks
from ganzoo.plan import TrainResult
from ganzoo.training.run import Outcome, Run
from ganzoo.training.trainer import Trainer


class Conclusion:
    """What is known of a run's end.

    Args:
        step: how many it has done.
    """

    def __init__(self, step: int) -> None:
        self.step = step
        self.reason = ""
        self.result: TrainResult | None = None

    def outcome(self, error: BaseException | None) -> Outcome:
        """As it is recorded."""
        if error is not None:
            interrupted = isinstance(error, KeyboardInterrupt)
            stopped = interrupted or isinstance(error, TrainingStopped)
            reason = "interrupted" if interrupted else str(error)
            reason = reason or type(error).__name__
            return Outcome(state="stopped" if stopped else "failed", step=self.step, reason=reason)
        versions = {}
        if self.result:
            versions["last"] = str(self.result.version)
            if self.result.best and self.result.best != self.result.version:
                versions["best"] = str(self.result.best)
        return Outcome(state="finished", step=self.step, reason=self.reason, versions=versions)


@contextmanager
def concluding(run: Run, trainer: Trainer, observer: WithHooks) -> Iterator[Conclusion]:
    """Around a training with its registration: whatever ends it is recorded in the run's directory."""
    conclusion = Conclusion(trainer.steps_done)
    error: BaseException | None = None
    try:
        yield conclusion
    except BaseException as raised:
        error = raised
        raise
    finally:
        conclusion.step = trainer.steps_done
        observer.notify("ganzoo_run_ended", run=run, result=conclusion.result)
        reporting.conclude(run, conclusion.outcome(error), observer.noted)
