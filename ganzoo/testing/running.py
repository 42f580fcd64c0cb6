"""Runs checks, and says what came of each: passed, failed, exempt, or not run."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ganzoo.config import Settings
from ganzoo.errors import MissingPackageError, PluginWarning
from ganzoo.specs import Spec
from ganzoo.testing.checks import Case, NotRun, cases_of, check_exemptions, check_settings
from ganzoo.testing.finding import checked_with
from ganzoo.zoo.discovery import resolve
from ganzoo.zoo.foreign import contained, in_one_line
from ganzoo.zoo.installed import Plugin

if TYPE_CHECKING:
    from ganzoo.testing.bench import Bench

Seen = Callable[[int, int], None]
"""Called with how many checks are done, and how many there are."""


class Outcome(StrEnum):
    """What came of a check."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    EXEMPT = "exempt"
    """It fails, and the plugin's author said beforehand that it would, and why."""
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Result:
    """What came of one check.

    Args:
        check: the check's name.
        subject: kind and name of the spec that it is of; empty: of the plugin as a whole.
        outcome: what came of it.
        reason: what it found, what is wrong, or why it is exempt or was not run, in one line.
    """

    check: str
    subject: str
    outcome: Outcome
    reason: str

    def to_json(self) -> dict[str, str]:
        """The result as JSON."""
        return {key: str(value) for key, value in asdict(self).items()}

    @classmethod
    def of(cls, case: Case, outcome: Outcome, reason: str) -> "Result":
        """The result of a case."""
        return cls(case.check.name, case.subject, outcome, reason)

    @classmethod
    def from_json(cls, fields: Mapping[str, str]) -> "Result":
        """What ``to_json`` wrote."""
        return cls(fields["check"], fields["subject"], Outcome(fields["outcome"]), fields["reason"])


def check_plugin(
    plugin: Plugin,
    *,
    exempt: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    seen: Seen = lambda done, total: None,
) -> list[Result]:
    """Run every check of a plugin in this process.

    Args:
        plugin: one that was loaded, or could not be.
        exempt: see ``check_exemptions``.
        settings: configuration over each model's for the checks that train: narrower networks, say.
        seen: is told how far it is.

    Raises:
        UsageError: an exemption names no check, or a setting is none that the plugin could be trained by.
    """
    cases, exempt = cases_of(plugin), exempt or {}
    check_exemptions(exempt, cases)
    check_settings(settings or {}, checked_with(plugin))
    results = []
    for number, case in enumerate(cases):
        seen(number, len(cases))
        results.append(run(case, exempt=exempt, settings=settings))
    seen(len(cases), len(cases))
    return results


def run(case: Case, *, exempt: Mapping[str, str] | None = None, settings: Settings | None = None) -> Result:
    """Run one check. An exemption is strict: where the check passes all the same, that is a failure."""
    from ganzoo.testing.bench import Bench  # torch, which only a check needs

    bench = Bench(case.plugin, settings or {})
    given = exempt or {}
    result, declared = _run(case, bench)
    excuse = given.get(str(case)) or given.get(case.check.name) or declared
    if excuse is None or result.outcome is Outcome.NOT_RUN:
        return result
    if result.outcome is Outcome.FAIL:
        return Result.of(case, Outcome.EXEMPT, excuse)
    return Result.of(case, Outcome.FAIL, f"it is exempt ({excuse}), and passes: take the exemption away")


def _run(case: Case, bench: "Bench") -> tuple[Result, str | None]:
    """What comes of a check, and why it cannot pass by what the plugin itself declares; None: it should."""
    told: list[str] = []
    excuse = None
    function: Callable[[Bench, Spec | None], str] = resolve(f"ganzoo.testing.{case.check.target}")
    with _told_of_plugins(told), contained(f"plugin {case.plugin}", tell=told.append) as interrupts:
        try:
            with bench.alone():
                excuse = bench.excuse(case)
                found = function(bench, case.spec)
        except (NotRun, MissingPackageError) as reason:
            return Result.of(case, Outcome.NOT_RUN, str(reason)), excuse
        except BaseException as error:  # a plugin's code may raise anything
            if error in interrupts:
                raise
            return Result.of(case, Outcome.FAIL, in_one_line(error)), excuse
    return Result.of(case, Outcome.FAIL, told[0]) if told else Result.of(case, Outcome.PASS, found), excuse


@contextmanager
def _told_of_plugins(lines: list[str]) -> Iterator[None]:
    """Gather what is told of a plugin meanwhile, such as what it changed of the process; other warnings are shown."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PluginWarning)
        yield
    for each in caught:
        if issubclass(each.category, PluginWarning):
            lines.append(str(each.message))
        else:
            warnings.showwarning(each.message, each.category, each.filename, each.lineno)
