"""``Observer``: the interface through which a training tells how it goes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganzoo.records.run import Run


class Observer:
    """An observer, which is told how a run goes; it does nothing. Subclass it for ``ganzoo.train(observer=…)``."""

    def doing(self, what: str) -> None:
        """Called when something begins that can take a while: "loading the data", say; the next one ends it."""

    def reading(self, done: int, total: int) -> None:
        """Called while image files are decoded: ``done`` of ``total`` are."""

    def started(self, run: "Run", step: int) -> None:
        """Called before the first step; ``step`` counts those that a resumed run has already taken."""

    def stepped(self, step: int) -> None:
        """Called after each step; must cost nothing."""

    def logged(self, run: "Run", step: int, metrics: dict[str, float]) -> None:
        """Called every ``report_every`` steps: means since the last call, and ``images_per_second``."""

    def evaluated(self, run: "Run", step: int, figures: dict[str, float]) -> None:
        """Called after each evaluation, with its figures by name."""

    def noted(self, message: str) -> None:
        """Called with something that a person should know, in one line."""
