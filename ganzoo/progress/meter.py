"""What a progress bar draws, by tqdm; imported when there is a terminal to draw on, because that takes a while."""

import sys
import threading
from typing import Any

from tqdm import tqdm

FORMATS = (
    (110, "{desc} {percentage:3.0f}% {bar} {n_fmt}/{total_fmt} {unit}, {remaining} left{rate_shown}{figures}"),
    (76, "{desc} {percentage:3.0f}% {bar} {n_fmt}/{total_fmt} {unit}, {remaining} left{figures}"),
    (0, "{desc} {percentage:3.0f}% {bar} {n_fmt}/{total_fmt}, {remaining} left"),
)
"""Columns of the terminal -> what is said on one that has as many; the widest that fits counts."""


class Meter(tqdm):  # type: ignore[misc]  # tqdm has no types
    """A line on stderr, as wide as the terminal is.

    Args:
        label: what is being done.
        unit: what is counted, in the plural.
        total: how many there are.
        first: how many were done before it began.
    """

    monitor_interval = 0  # no thread that watches it
    redraw_seconds = 0.1  # at least between two drawings
    rate_shown = figures = ""

    def __init__(self, label: str, unit: str, total: int, first: int = 0) -> None:
        super().__init__(
            desc=label,
            unit=unit,
            total=total,
            initial=first,
            file=sys.stderr,
            dynamic_ncols=True,
            mininterval=self.redraw_seconds,
            miniters=1,
            leave=True,
        )

    @property
    def format_dict(self) -> dict[str, Any]:
        """What is drawn, and in which form."""
        found: dict[str, Any] = super().format_dict
        columns = found["ncols"] or 80
        form = next(form for least, form in FORMATS if columns >= least)
        return {**found, "bar_format": form, "rate_shown": self.rate_shown, "figures": self.figures}


Meter.set_lock(threading.RLock())  # tqdm's own is one of processes, of which there is one
