"""The training loop: steps, log lines, previews, checkpoints, recovery from a divergence, and the end."""

import shlex
from collections.abc import Callable, Sequence

import numpy as np

from ganzoo.config import OnCollapse, PrecisionName
from ganzoo.config.schedule import largest
from ganzoo.errors import GanzooError, TrainingStopped
from ganzoo.files import write_atomic
from ganzoo.images import class_rows, encode_png, grid
from ganzoo.observer import Observer
from ganzoo.records.outcome import Outcome
from ganzoo.records.run import Run
from ganzoo.training import checkpoint
from ganzoo.training.evaluating import Evaluating, due, evaluate, sampler
from ganzoo.training.saving import Saver
from ganzoo.training.stopping import Clock, StopRequest
from ganzoo.training.telemetry import NORMS, READ_EVERY
from ganzoo.training.trainer import Trainer
from ganzoo.training.watchdog import LOOK_EVERY, Collapse, Look, bad_number
from ganzoo.zoo.foreign import survived

AGREE_EVERY = 16
"""Steps between two times that several ranks agree on whether to stop: each time they wait for one another."""

PREVIEW_IMAGES = 64
PREVIEW_CLASSES, PREVIEW_OF_EACH = 16, 8
"""Most classes that a preview has a row of, and how many images of each."""

EXACT = (PrecisionName.FP32, PrecisionName.FP64)
"""Number formats that are not why a training diverges; in any other one the hint suggests fp32."""


def run_to_end(trainer: Trainer, run: Run, observer: Observer, evaluating: Evaluating | None = None) -> Outcome:
    """Step until ``config.steps``, or until ``max_time`` or ``patience`` end it as if that had been its last step.

    A number that is not finite takes the run back to its last checkpoint (or to where it began) and halves the
    learning rates, once. Among several ranks only the first one logs, evaluates and writes.

    Args:
        evaluating: how to evaluate every ``config.eval_every`` steps, and at the end; None: no evaluation.

    Returns:
        How it ended: ``finished``, with the reason if that was before its last step.

    Raises:
        TrainingStopped: a signal came; the finished steps are saved.
        GanzooError: a number was not finite for the second time, and nothing after that is saved; or images became all
            alike and ``on_collapse`` is ``stop``; or a signal came, and the checkpoint cannot be written.
    """
    observer = observer if trainer.ranks.chief else Observer()
    with Saver(trainer, observer.noted) as saver:
        outcome = _Loop(trainer, run, observer, evaluating, saver).to_end()
        saver.settle("what was trained is registered from memory")
    if outcome.reason:
        observer.noted(f"training ended after step {outcome.step} of {run.config.steps}: {outcome.reason}")
    return outcome


def preview(trainer: Trainer, class_names: Sequence[str]) -> bytes:
    """A PNG grid of the averaged generator's images from latents that depend on the run's seed alone.

    Args:
        class_names: the data's; each of the first has a row if the generator takes labels.
    """
    seed, names = trainer.config.seed, class_names[:PREVIEW_CLASSES]
    if not trainer.classes:
        return encode_png(grid(sampler(trainer, seed)(0, PREVIEW_IMAGES)[0]))
    rows = [sampler(trainer, seed, label=label)(0, PREVIEW_OF_EACH)[0] for label in range(len(names))]
    return encode_png(class_rows(np.concatenate(rows), names))


class _Loop:
    def __init__(
        self, trainer: Trainer, run: Run, observer: Observer, evaluating: Evaluating | None, saver: Saver
    ) -> None:
        self._trainer = trainer
        self._run = run
        self._observer = observer
        self._evaluating = evaluating if trainer.ranks.chief else None
        self._saver = saver
        self._stop = StopRequest()
        self._clock = Clock(trainer, run)
        self._look = Look(trainer)
        self._collapse = self._history()

    @property
    def _step(self) -> int:
        return self._trainer.steps_done

    def to_end(self) -> Outcome:
        """Take steps until one is the last."""
        with (
            self._stop.listening(),
            survived(f"model {self._run.config.model!r}", lambda: self._stop.signal is not None),
        ):
            self._evaluate(last=False)
            reason = self._over()
            if reason is None:
                reason = self._impatient()
            if reason is not None and self._trainer.ranks.any(self._unlogged()):
                self._log(last=True)
            while reason is None:
                reason = self._advance()
        return Outcome(state="finished", step=self._step, reason=reason)

    def _unlogged(self) -> bool:
        """Whether the step after which the run was stopped, now its last one, has no log line yet."""
        logged = any(line["step"] == self._step for line in self._run.reports())
        return self._trainer.ranks.chief and self._step > 0 and not logged

    def _advance(self) -> str | None:
        """Take a step and do what is due after it; returns why it was the last one, if it was."""
        self._trainer.step()
        self._observer.stepped(self._step)
        # Read once: a signal that comes while this step is recorded ends the run after the next one, with its own
        # checkpoint.
        signalled = self._agreed(self._stop.signal is not None)
        reason = self._over()
        overdue = self._overdue()
        bad = self._bad_number(leaving=signalled or overdue or reason is not None)
        if bad is not None:
            self._recover(bad)
            return None
        if self._step % LOOK_EVERY == 0:
            for name, figure in self._look.figures().items():
                self._trainer.telemetry.log(name, figure)
        if reason is not None or signalled or overdue or due(self._run, self._step) or self._saves():
            self._trainer.agree()
        if reason is not None or not signalled:  # a run that a signal stops evaluates when it goes on
            self._evaluate(last=reason is not None)
            reason = self._impatient() if reason is None else reason
        collapsed = self._log(last=reason is not None) and self._run.config.on_collapse == OnCollapse.STOP
        self._save(last=reason is not None or signalled or collapsed, overdue=overdue)
        if reason is None and (signalled or collapsed):
            self._saver.finish()
            raise self._stopped() if signalled else self._collapsed()
        return reason

    def _over(self) -> str | None:
        """Why the run is over, empty where that is its last step; None: it is not over."""
        limit = self._run.config.max_time
        if self._step >= self._run.config.steps:
            return ""
        if limit and self._agreed(self._trainer.ranks.chief and self._clock.seconds() >= limit):
            return f"its {limit:g} seconds are over; --resume with a longer --max-time goes on"
        return None

    def _impatient(self) -> str | None:
        """The reason to end because evaluations have not improved for too long; None: there is none."""
        patience = self._run.config.patience
        if not (patience and due(self._run, self._step)):
            return None
        enough = self._evaluating is not None and self._since_best(self._evaluating) >= patience
        said = f"{patience} evaluations found nothing better; --resume with a longer --patience goes on"
        return said if self._trainer.ranks.any(enough) else None

    def _since_best(self, how: Evaluating) -> int:
        return how.ranking.since_best(self._run.evaluations(how.protocol))

    def _agreed(self, flag: bool) -> bool:
        """Whether ``flag`` is true on any rank; several ranks ask one another only at every ``AGREE_EVERY``-th step."""
        ranks = self._trainer.ranks
        return flag if ranks.count == 1 else self._step % AGREE_EVERY == 0 and ranks.any(flag)

    def _bad_number(self, leaving: bool) -> str | None:
        """What is not a finite number, on any rank; None: all numbers are finite.

        Checked before anything of a step is logged or saved, and at every step where the check costs no waiting.
        """
        config, step, trainer = self._run.config, self._step, self._trainer
        intervals = (READ_EVERY, LOOK_EVERY, config.report_every, config.preview_every, config.checkpoint_every)
        told = leaving or any(step % every == 0 for every in intervals) or due(self._run, step)
        free = trainer.ranks.count == 1 and trainer.objective.precision.device.type == "cpu"
        if not told and not free:
            return None
        bad = bad_number(trainer, weights=told)
        return (bad or "a number of another rank is not finite") if trainer.ranks.any(bad is not None) else None

    def _recover(self, bad: str) -> None:
        """Go back to the last state that was kept, and go on with half the learning rates; the second time, fail."""
        trainer, run = self._trainer, self._run
        if trainer.lr_factor < 1:
            raise self._diverged(bad)
        self._saver.settle()
        checkpoint.put_back(trainer, self._saver.last, "the state in memory")
        trainer.lr_factor /= 2
        said = f"{bad}: back to step {self._step}, and on with half the learning rates"
        self._on_rank_0(lambda: run.rewind(self._step))
        # Recorded with the step at which it takes effect: a run that is resumed from an earlier one comes here again.
        self._on_rank_0(lambda: run.record_event(self._step + 1, "recovered", said))
        self._observer.noted(said)
        self._collapse = self._history()

    def _evaluate(self, last: bool) -> None:
        """Evaluate the weights if that is due and has not been done."""
        run, step, how = self._run, self._step, self._evaluating
        if how and (due(run, step) or last) and step not in run.evaluations(how.protocol):
            with self._clock.paused():
                self._observer.doing("evaluating")
                figures = evaluate(self._trainer, run, how, self._saver)
                if not run.evaluations(how.protocol) and (missing := how.ranking.missing(figures)):
                    self._observer.noted(f"evaluations of this training have no {missing}: no weights will be the best")
                self._on_rank_0(lambda: run.record_evaluation(step, how.protocol, figures))
                self._observer.evaluated(run, step, figures)

    def _log(self, last: bool) -> bool:
        """Log the means since a multiple of ``report_every``, so that they do not depend on where a run was resumed.

        Returns:
            Whether a line was logged that shows a collapse.
        """
        step, telemetry = self._step, self._trainer.telemetry
        aligned = step % self._run.config.report_every == 0
        if not aligned and not last:
            return False
        telemetry.average(self._trainer.ranks)
        times = {"images_per_second": self._clock.rate(), "seconds": self._clock.seconds()}
        metrics = {**telemetry.means(), **times}
        self._saver.settle_the_first()
        self._on_rank_0(lambda: self._run.log(step, metrics))
        self._observer.logged(self._run, step, metrics)
        if said := self._collapse.see(step, metrics):
            self._on_rank_0(lambda: self._run.record_event(step, "collapse", said))
            self._observer.noted(said)
        if aligned:
            telemetry.reset()
        return self._collapse.since is not None

    def _preview(self) -> bytes:
        return preview(self._trainer, self._run.facts["data"]["class_names"])

    def _save(self, last: bool, overdue: bool) -> None:
        """Write what is due: a preview, a checkpoint."""
        run, config, step = self._run, self._run.config, self._step
        if last or overdue or self._saves() or step % config.preview_every == 0:
            self._on_rank_0(run.make_folders)
        if step % config.preview_every == 0:
            self._on_rank_0(lambda: write_atomic(run.sample_path(step), self._preview()))
        if last or overdue or self._saves():
            self._trainer.telemetry.average(self._trainer.ranks)
            # One that time alone asks for is not gone back to: no clock decides what is computed.
            write = self._saver.keep if last or self._saves() else self._saver.write
            write(run.checkpoint_path(step), then=run.prune_checkpoints)
            self._on_rank_0(self._clock.keep)
        if not last:  # the last one is waited for, and training does not go on after its failure
            self._saver.look()

    def _saves(self) -> bool:
        """Whether a checkpoint is due after this step, whatever the time."""
        return self._step % self._run.config.checkpoint_every == 0

    def _overdue(self) -> bool:
        """Whether a checkpoint is due by the clock of rank 0."""
        minutes = self._run.config.checkpoint_minutes
        return minutes > 0 and self._agreed(self._trainer.ranks.chief and self._clock.overdue(minutes))

    def _on_rank_0(self, write: Callable[[], object]) -> None:
        """Run ``write`` on rank 0 alone; a failure is noted, and training goes on."""
        try:
            if self._trainer.ranks.chief:
                write()
        except (GanzooError, OSError) as error:
            self._observer.noted(f"{error}; training goes on without it")

    def _history(self) -> Collapse:
        return Collapse(line for line in self._run.reports() if line["step"] <= self._step)

    def _stopped(self) -> GanzooError:
        by = self._stop.signal.name if self._stop.signal else "a signal to another rank"
        return TrainingStopped(
            f"training stopped by {by} after step {self._step} of {self._run.config.steps}; everything is saved",
            hint=f"go on with: {self._resume()}",
        )

    def _collapsed(self) -> GanzooError:
        return GanzooError(
            f"training stopped after step {self._step}: since step {self._collapse.since} the generator's images have "
            "collapsed; everything is saved, and nothing was registered",
            hint=f"go on all the same with: {self._resume()} --on-collapse warn",
        )

    def _resume(self) -> str:
        return f"ganzoo train --resume {shlex.quote(str(self._run.directory))}"

    def _diverged(self, bad: str) -> GanzooError:
        run, config = self._run, self._run.config
        norms = [f"{name} {run.latest_figures()[name]:.3g}" for name in NORMS.values() if name in run.latest_figures()]
        before = f" (gradients before: {', '.join(norms)})" if norms else ""
        self._on_rank_0(lambda: run.record_event(self._step, "diverged", f"{bad}, for the second time"))
        exact = "" if config.precision in EXACT else ", or --set precision=fp32"
        kept = f"; the last good checkpoint is in {run.directory}" if run.checkpoints() else ""
        return GanzooError(
            f"training of {config.model} diverged a second time: {bad}{before}; half the learning rates did not help, "
            "and nothing was registered",
            hint=f"try --set generator.lr={largest(config.generator.lr) / 4:g} --set discriminator.lr="
            f"{largest(config.discriminator.lr) / 4:g}{exact}{kept}",
        )
