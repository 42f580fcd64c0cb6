"""Tells plugins how a run goes, beside the observer that a person gave."""

import json
from typing import Any

from ganzoo.observer import Observer
from ganzoo.records.run import Run
from ganzoo.zoo.names import zoo


class WithHooks(Observer):
    """Passes what it is told on to an observer and to the plugins.

    Args:
        silent: pass nothing on, because another rank speaks for all.
    """

    def __init__(self, observer: Observer, *, silent: bool = False) -> None:
        self._observer = Observer() if silent else observer
        self._silent = silent

    def notify(self, hook: str, **arguments: Any) -> None:
        """Call a hook of every plugin."""
        if not self._silent:
            zoo().manager.notify(hook, self._observer.noted, **arguments)

    def gather(self, hook: str, **arguments: Any) -> dict[str, Any]:
        """What plugins answer, by plugin; an answer that is not a JSON object is left out, with a note."""
        gathered = {}
        for plugin, answer in zoo().manager.notify(hook, self._observer.noted, **arguments):
            try:
                gathered[plugin.qualified] = dict(json.loads(json.dumps(dict(answer), allow_nan=False)))
            except (TypeError, ValueError) as error:
                self._observer.noted(f"plugin {plugin} answered {hook} with what is not a JSON object: {error}")
        return gathered

    def reading(self, done: int, total: int) -> None:
        """See ``Observer``."""
        self._observer.reading(done, total)

    def started(self, run: Run, step: int) -> None:
        """See ``Observer``."""
        self._observer.started(run, step)
        self.notify("ganzoo_run_started", run=run)

    def stepped(self, step: int) -> None:
        """See ``Observer``."""
        self._observer.stepped(step)

    def logged(self, run: Run, step: int, metrics: dict[str, float]) -> None:
        """See ``Observer``."""
        self._observer.logged(run, step, metrics)
        self.notify("ganzoo_report", run=run, step=step, metrics=dict(metrics))

    def evaluated(self, run: Run, step: int, figures: dict[str, float]) -> None:
        """See ``Observer``."""
        self._observer.evaluated(run, step, figures)
        self.notify("ganzoo_evaluated", run=run, step=step, figures=dict(figures))

    def noted(self, message: str) -> None:
        """See ``Observer``."""
        self._observer.noted(message)
