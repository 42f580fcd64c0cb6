"""``Observer``: what a training tells while it runs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganzoo.records.run import Run


class Observer:
    """Is told how a run goes; this base class does nothing with it. Subclass it for ``ganzoo.train(observer=…)``."""

    def reading(self, done: int, total: int) -> None:
        """While image files are decoded: ``done`` of ``total`` images are."""

    def started(self, run: "Run", step: int) -> None:
        """Before the first step; ``step`` is how many a resumed run has already."""

    def stepped(self, step: int) -> None:
        """After each step; must cost nothing."""

    def logged(self, run: "Run", step: int, metrics: dict[str, float]) -> None:
        """Every ``report_every`` steps: means since the last time, and ``images_per_second``."""

    def evaluated(self, run: "Run", step: int, figures: dict[str, float]) -> None:
        """After each evaluation: its figures by name."""

    def noted(self, message: str) -> None:
        """Something that a person should know, in a line."""
