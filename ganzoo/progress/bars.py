"""Progress on a terminal: one line that says what is done and how long the rest takes. Elsewhere nothing is drawn."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Self

from ganzoo.progress.stderr import clear, draws, make_room, show

if TYPE_CHECKING:
    from ganzoo.progress.meter import Meter


@contextlib.contextmanager
def doing(what: str) -> Iterator[None]:
    """Say on a terminal what is done meanwhile, where it cannot be counted; afterwards nothing is left of it."""
    if draws():
        show(what)
    try:
        yield
    finally:
        if draws():
            clear()


class ProgressBar:
    """A bar on a terminal, nothing elsewhere: ``bar(done, total)``.

    Args:
        label: what is being done.
        unit: what is counted, in the plural.
    """

    def __init__(self, label: str, unit: str) -> None:
        self._label, self._unit = label, unit
        self._meter: Meter | None = None

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` are done."""
        if self._meter is None:
            if not draws():
                return
            from ganzoo.progress.meter import Meter

            make_room()
            self._meter = Meter(self._label, self._unit, total)
        self._meter.total = total
        self._meter.update(done - self._meter.n)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Draw where it has come to, and leave the line for what comes next."""
        if self._meter is not None:
            self._meter.close()
            self._meter = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
