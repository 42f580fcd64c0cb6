"""Tells plugins how a run goes, beside the observer that a person gave."""

import json
from collections.abc import Callable
from typing import Any

from ganzoo.files import Unreadable, parse_object
from ganzoo.observer import Observer
from ganzoo.records.run import Run
from ganzoo.zoo.discovery import Manager
from ganzoo.zoo.foreign import contained, in_one_line
from ganzoo.zoo.names import zoo

LARGEST = 1 << 20
"""Most characters of what one plugin adds to a version's lineage."""

DEEPEST = 100
"""Most levels of it: what reads the record must not run out of stack."""


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
        """What plugins answer, by plugin; see ``gathered``."""
        return gathered(zoo().manager, hook, self._observer.noted, **arguments)

    def doing(self, what: str) -> None:
        """See ``Observer``."""
        self._observer.doing(what)

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


def gathered(manager: Manager, hook: str, on_problem: Callable[[str], None], /, **arguments: Any) -> dict[str, Any]:
    """What plugins answer, by plugin; one that raises, or whose answer cannot be recorded as JSON, is left out.

    Args:
        manager: has the plugins.
        hook: name of the hook.
        on_problem: is given one line on what was left out.
        arguments: the hook's arguments.
    """
    answers = {}
    for plugin, answer in manager.notify(hook, on_problem, **arguments):
        with contained(f"plugin {plugin}") as interrupts:
            try:
                answers[plugin.qualified] = _recorded(answer)
            except BaseException as error:  # an answer's own methods may raise anything
                if error in interrupts:
                    raise
                on_problem(f"plugin {plugin} answered {hook} with what is not a JSON object: {in_one_line(error)}")
    return answers


def _recorded(answer: Any) -> dict[str, Any]:
    """A hook's answer as it will be read from the registry, which has no NaN, no half characters, and a bound.

    Raises:
        Exception: it is no such object; the type is whatever the answer's own methods raise.
    """
    text = json.dumps(dict(answer), allow_nan=False, ensure_ascii=False)
    if len(text) > LARGEST:
        raise Unreadable(f"it has {len(text):,} characters; at most {LARGEST:,} are recorded")
    recorded = parse_object(text)
    _check_depth(recorded, DEEPEST)
    return recorded


def _check_depth(value: Any, levels: int) -> None:
    if levels < 0:
        raise Unreadable(f"it is nested more than {DEEPEST} levels deep")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(each, levels - 1)
