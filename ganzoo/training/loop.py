"""From step to step: reports, previews, checkpoints, and stopping when asked."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

import torch

from ganzoo.errors import GanzooError, TrainingStopped
from ganzoo.files import write_atomic
from ganzoo.images import encode_png, grid
from ganzoo.training import checkpoint, judging
from ganzoo.training.run import Run
from ganzoo.training.trainer import Trainer

if TYPE_CHECKING:
    from ganzoo.training.judging import Judge

PREVIEW_IMAGES = 64


class Observer:
    """Who is told how a run goes; the base class listens to nothing."""

    def reading(self, done: int, total: int) -> None:
        """While image files are decoded: how many are."""

    def started(self, run: Run, step: int) -> None:
        """Before the first step; ``step`` is how many a resumed run has already."""

    def stepped(self, step: int) -> None:
        """After each step; must cost nothing."""

    def reported(self, run: Run, step: int, metrics: dict[str, float]) -> None:
        """At each report interval: means since the last, and ``images_per_second``."""

    def judged(self, run: Run, step: int, figures: dict[str, float]) -> None:
        """At each evaluation: its figures."""

    def noted(self, message: str) -> None:
        """Something that a person should know, in a line."""


class StopRequest:
    """Set by the first SIGINT or SIGTERM; the second one interrupts at once."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals meanwhile; outside the main thread, where Python allows no handlers, do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        previous = {number: signal.signal(number, self._received) for number in numbers}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _received(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)


def run_to_end(trainer: Trainer, run: Run, observer: Observer, judge: "Judge | None" = None) -> dict[str, float]:
    """Step until ``config.steps``; returns the last report.

    Args:
        judge: evaluates every ``config.eval_every`` steps, and at the end; None: no evaluation.

    Raises:
        TrainingStopped: a signal came; the finished steps are saved.
        GanzooError: a loss was not finite; nothing after it is saved.
    """
    config = run.config
    stop = StopRequest()
    metrics = run.last_report()  # all that a run which is done already has to say
    clock = _Clock(trainer)
    with stop.listening():
        _evaluate(trainer, run, observer, judge)
        while trainer.steps_done < config.steps:
            trainer.step()
            step = trainer.steps_done
            observer.stepped(step)
            if not stop.signal or step == config.steps:  # who is asked to stop evaluates when the run goes on
                with clock.paused():
                    _evaluate(trainer, run, observer, judge)
            # Read once: a signal that comes while this step is recorded ends the run after the next one, with its
            # own checkpoint.
            signalled = stop.signal
            last = step == config.steps or signalled is not None
            metrics = _record(trainer, run, observer, clock, save=last) or metrics
            if signalled is not None and step < config.steps:
                raise TrainingStopped(
                    f"training stopped by {signalled.name} after step {step} of {config.steps}; everything is saved",
                    hint=f"go on with: ganzoo train --resume {run.directory}",
                )
    return metrics


def _evaluate(trainer: Trainer, run: Run, observer: Observer, judge: "Judge | None") -> None:
    """Evaluate what is due and has not been."""
    step = trainer.steps_done
    if judge and judging.due(run, step) and step not in run.evaluations(judge.protocol):
        _refuse_divergence(trainer, run)
        observer.judged(run, step, judging.evaluate(trainer, run, judge))


def _record(trainer: Trainer, run: Run, observer: Observer, clock: "_Clock", save: bool) -> dict[str, float]:
    """Report, preview and save what is due after a step; returns the report, empty if none was due.

    Reports cover the steps since a multiple of ``report_every``, so that they do not tell where a run was resumed.
    """
    config, step = run.config, trainer.steps_done
    aligned = step % config.report_every == 0
    report = aligned or step == config.steps
    show = step % config.preview_every == 0
    save = save or step % config.checkpoint_every == 0
    metrics: dict[str, float] = {}
    if report or show or save or trainer.telemetry.readable_for_free:
        _refuse_divergence(trainer, run)
    if save:
        _refuse_bad_weights(trainer, run)
    if report:
        metrics = {**trainer.telemetry.means(), "images_per_second": clock.rate()}
        run.report(step, metrics)
        observer.reported(run, step, metrics)
    if aligned:
        trainer.telemetry.reset()
    if show:
        write_atomic(run.previews / f"step-{step:08d}.png", preview(trainer))
    if save:
        checkpoint.write(trainer, run.checkpoint_path(step))
        run.prune_checkpoints()
    return metrics


def preview(trainer: Trainer) -> bytes:
    """A PNG grid of the averaged generator's images from latents that depend on the run's seed alone."""
    pixels, _ = judging.sampler(trainer, trainer.config.seed)(0, PREVIEW_IMAGES)
    return encode_png(grid(pixels.transpose(0, 2, 3, 1)))


class _Clock:
    """Real images per second since it was last asked, without pauses."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._mark = (trainer.images_shown, time.perf_counter())

    def rate(self) -> float:
        images, then = self._mark
        self._mark = (self._trainer.images_shown, time.perf_counter())
        return (self._mark[0] - images) / max(self._mark[1] - then, 1e-9)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        images, then = self._mark
        begin = time.perf_counter()
        yield
        self._mark = (images, then + time.perf_counter() - begin)


def _refuse_divergence(trainer: Trainer, run: Run) -> None:
    step = trainer.telemetry.bad_step()
    if step is not None:
        raise _diverged(run, f"the loss of step {step + 1} is not a finite number")


def _refuse_bad_weights(trainer: Trainer, run: Run) -> None:
    """A finite loss can have a gradient that is not; its weights must not become the newest checkpoint."""
    for name, module in trainer.modules().items():
        if not all(bool(torch.isfinite(tensor).all()) for tensor in module.state_dict().values()):
            raise _diverged(run, f"after step {trainer.steps_done} the {name}'s weights are not finite numbers")


def _diverged(run: Run, reason: str) -> GanzooError:
    config = run.config
    return GanzooError(
        f"training of {config.model} diverged: {reason}; nothing was registered",
        hint=f"try --set generator.lr={config.generator.lr / 2:g} --set discriminator.lr="
        f"{config.discriminator.lr / 2:g}, or --set precision=fp32; the last good checkpoint is in {run.directory}",
    )
