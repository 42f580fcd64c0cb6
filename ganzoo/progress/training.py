"""How a training shows its progress: a bar on a terminal, lines of text elsewhere."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ganzoo.config import ExecutorName
from ganzoo.observer import Observer
from ganzoo.progress.bars import ProgressBar
from ganzoo.progress.stderr import clear, draws, note, say, show

if TYPE_CHECKING:
    from ganzoo.progress.meter import Meter
    from ganzoo.records.run import Run

LINE_SECONDS = 5.0
"""Least seconds between two lines where there is no terminal; the last line is always written."""

FIGURES_SHOWN = 4


@contextlib.contextmanager
def watched(observer: Observer | None, progress: bool) -> Iterator[Observer]:
    """Who is told of a training that is called: ``observer``, else a ``Progress`` where a line can be drawn.

    Args:
        observer: somebody's own, in the place of ``Progress``; None: nobody's.
        progress: whether there may be a ``Progress``.
    """
    if observer is not None or not (progress and draws()):
        yield observer or Observer()
        return
    with Progress() as shown:
        yield shown


class Progress(Observer):
    """Shows on stderr what is done, the step, losses, images per second and the time left.

    Args:
        verbose: also write lines: of what is done, with the seconds since the beginning, and of every report.
    """

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose
        self._began = time.monotonic()
        self._reading = ProgressBar("reading", "images")
        self._meter: Meter | None = None
        self._doing = ""
        self._shown = 0.0
        self._steps = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.close()
        self._clear()
        if self._meter is not None:
            self._meter.close()

    def doing(self, what: str) -> None:
        """Say so in place of the bar, until the next thing happens."""
        self._clear()
        if self._verbose:
            note(f"{time.monotonic() - self._began:6.1f} s  {what}")
        elif draws():
            self._draw(what)

    def reading(self, done: int, total: int) -> None:
        """Show how far the decoding of image files is."""
        self._clear()
        self._reading(done, total)

    def started(self, run: "Run", step: int) -> None:
        """Say what is trained on what, and make the bar."""
        config, count = run.config, run.facts["data"]["count"]
        where = f"{config.device} in {config.precision}"
        where += f" by {config.executor}" if config.executor != ExecutorName.EAGER else ""
        self._clear()
        note(
            f"{config.model} on {config.data}: {count:,} images, {config.size}x{config.size}; {where}; {run.directory}"
        )
        self._steps = config.steps
        if draws():
            from ganzoo.progress.meter import Meter

            self._meter = Meter("training", "steps", config.steps, step)

    def stepped(self, step: int) -> None:
        """Move the bar; it is drawn a few times a second."""
        if self._meter is not None:
            if self._doing or step <= self._meter.n:  # the latter if training went back
                self._clear()
                self._meter.n = self._meter.last_print_n = step
                self._meter.refresh()
            self._meter.update(step - self._meter.n)

    def logged(self, run: "Run", step: int, metrics: Mapping[str, float]) -> None:
        """Show the latest means."""
        rate = f"{metrics['images_per_second']:,.0f} images/s"
        losses = "  ".join(f"{name} {metrics[name]:.3f}" for name in ("loss_d", "loss_g") if name in metrics)
        if self._meter is not None:
            self._meter.rate_shown, self._meter.figures = f", {rate}", f"  {losses}"
        now = time.monotonic()
        due = self._verbose or now - self._shown > LINE_SECONDS or step == self._steps
        if due and (self._verbose or self._meter is None):
            self._above(f"step {step:,}/{self._steps:,}  {rate}  {losses}")
            self._shown = now

    def evaluated(self, run: "Run", step: int, figures: Mapping[str, float]) -> None:
        """Show the first figures of an evaluation, above the bar."""
        shown = "  ".join(f"{name} {value:.4g}" for name, value in list(figures.items())[:FIGURES_SHOWN])
        self._above(f"evaluated step {step:,}/{self._steps:,}  {shown}")

    def noted(self, message: str) -> None:
        """Pass a warning on, quiet or not."""
        self._above(f"Warning: {message}", say)

    def _above(self, message: str, tell: Callable[[str], None] = note) -> None:
        """Write a message in place of what is drawn, which is drawn anew below it, a bar with the next step."""
        doing = self._doing
        self._clear()
        tell(message)
        if doing:
            self._draw(doing)

    def _draw(self, doing: str) -> None:
        self._doing = doing
        show(doing)

    def _clear(self) -> None:
        """Leave an empty line in place of what is drawn."""
        if self._doing or self._meter is not None:
            clear()
        self._doing = ""
