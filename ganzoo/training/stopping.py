"""What ends a run before its last step from outside: signals, and time."""

import contextlib
import json
import math
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

from ganzoo.files import parse_object, write_atomic
from ganzoo.records.run import Run
from ganzoo.training.trainer import Trainer


class StopRequest:
    """Set by the first SIGINT, SIGTERM or SIGHUP (the terminal is gone); a second one interrupts at once.

    A second SIGHUP does not: a closing terminal may send several.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals meanwhile; outside the main thread, where Python allows no handlers, do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
            numbers.append(signal.SIGHUP)
        previous = {number: signal.signal(number, self._received) for number in numbers}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _received(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = signal.Signals(number)
        elif number != signal.SIGHUP:
            raise KeyboardInterrupt


class Clock:
    """Measures seconds of training, and real images per second since the last call, both without pauses.

    A resumed run goes on from the seconds of its last log line or, if they are more, from those that ``keep`` wrote.
    """

    def __init__(self, trainer: Trainer, run: Run) -> None:
        self._trainer = trainer
        self._kept = run.directory / "clock.json"
        before = max(run.latest_figures(trainer.steps_done).get("seconds", 0.0), self._before())
        self._start = time.perf_counter() - before
        self._mark = (trainer.images_shown, time.perf_counter())
        self._saved = before

    def seconds(self) -> float:
        """Seconds of training from the run's first step on, however often it was resumed."""
        return time.perf_counter() - self._start

    def keep(self) -> None:
        """Write the seconds down with a checkpoint: a run that is stopped between log lines has used them, too.

        Raises:
            GanzooError: they cannot be written.
        """
        self._saved = self.seconds()
        kept = {"step": self._trainer.steps_done, "seconds": self._saved}
        write_atomic(self._kept, f"{json.dumps(kept)}\n".encode())

    def overdue(self, minutes: float) -> bool:
        """Whether the last checkpoint is ``minutes`` of training old."""
        return self.seconds() - self._saved >= 60 * minutes

    def _before(self) -> float:
        try:
            kept = parse_object(self._kept.read_bytes())
            seconds = float(kept["seconds"])
            return seconds if math.isfinite(seconds) and kept["step"] <= self._trainer.steps_done else 0.0
        except (OSError, ValueError, KeyError, TypeError):  # no file, or not a usable one
            return 0.0

    def rate(self) -> float:
        """Real images per second since the last call."""
        images, then = self._mark
        self._mark = (self._trainer.images_shown, time.perf_counter())
        return max(0, self._mark[0] - images) / max(self._mark[1] - then, 1e-9)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the time meanwhile as training."""
        begin = time.perf_counter()
        yield
        pause = time.perf_counter() - begin
        self._start += pause
        self._mark = (self._mark[0], self._mark[1] + pause)
