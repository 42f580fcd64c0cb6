"""How a training shows its progress: a bar on a terminal, lines of text elsewhere."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from ganzoo.cli.output import ProgressBar, draws, note
from ganzoo.config import ExecutorName
from ganzoo.observer import Observer

if TYPE_CHECKING:
    from ganzoo.records.run import Run

REDRAW_SECONDS = 0.1
LINE_SECONDS = 5.0
"""Least seconds between two lines where there is no terminal; the last line is always written."""


FIGURES_SHOWN = 4
CLEAR_LINE = "\r\x1b[K"


class Progress(Observer):
    """Shows step, images per second, losses and the time left on stderr."""

    def __init__(self) -> None:
        self._reading = ProgressBar("reading")
        self._bar: Any = None
        self._done = 0
        self._shown = 0.0
        self._metrics = ""
        self._steps = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.close()
        if self._bar is not None:
            self._bar.render_progress()
            self._bar.render_finish()

    def reading(self, done: int, total: int) -> None:
        """Show how far the decoding of image files is."""
        self._reading(done, total)

    def started(self, run: "Run", step: int) -> None:
        """Say what is trained on what, and start the bar."""
        config, count = run.config, run.facts["data"]["count"]
        where = f"{config.device} in {config.precision}"
        where += f" by {config.executor}" if config.executor != ExecutorName.EAGER else ""
        note(
            f"{config.model} on {config.data}: {count:,} images, {config.size}x{config.size}; {where}; {run.directory}"
        )
        self._steps, self._done = config.steps, step
        if draws():
            self._bar = click.progressbar(
                length=config.steps,
                label="training",
                show_pos=True,
                show_percent=False,
                item_show_func=lambda _item: self._metrics,
                file=sys.stderr,
                width=24,
            )
            self._bar.update(step)
            self._bar.render_progress()  # at once: the first step can take long

    def stepped(self, step: int) -> None:
        """Move the bar, a few times a second."""
        now = time.monotonic()
        if self._bar is not None and (now - self._shown > REDRAW_SECONDS or step == self._steps):
            if step <= self._done:  # training went back to a checkpoint, and click's bars only go on
                self._done = self._bar.pos = step - 1
                self._bar.finished = False
            self._bar.update(step - self._done)
            self._done, self._shown = step, now

    def logged(self, run: "Run", step: int, metrics: Mapping[str, float]) -> None:
        """Show the latest means."""
        rate = f"{metrics['images_per_second']:,.0f} images/s"
        losses = "  ".join(f"{name} {metrics[name]:.3f}" for name in ("loss_d", "loss_g") if name in metrics)
        self._metrics = f"{rate}  {losses}"
        now = time.monotonic()
        if self._bar is None and (now - self._shown > LINE_SECONDS or step == self._steps):
            note(f"step {step:,}/{self._steps:,}  {self._metrics}")
            self._shown = now

    def evaluated(self, run: "Run", step: int, figures: Mapping[str, float]) -> None:
        """Show the first figures of an evaluation, above the bar."""
        shown = "  ".join(f"{name} {value:.4g}" for name, value in list(figures.items())[:FIGURES_SHOWN])
        self._above(f"evaluated step {step:,}/{self._steps:,}  {shown}")

    def noted(self, message: str) -> None:
        """Pass a warning on."""
        self._above(f"Warning: {message}")

    def _above(self, message: str) -> None:
        """Write a message in place of the bar, which is drawn anew below it."""
        if self._bar is not None:
            sys.stderr.write(CLEAR_LINE)
        note(message)
