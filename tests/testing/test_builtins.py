"""The built-in plugins pass the kit that is there for everybody's."""

import pytest

from ganzoo.testing.checks import CHECKS, Case, cases_of
from ganzoo.testing.running import Outcome, run
from ganzoo.zoo.names import zoo

CASES = [case for plugin in zoo().manager.plugins if plugin.builtin for case in cases_of(plugin)]

ELSEWHERE = (
    "no CUDA device",
    "it has no hooks of runs",
    "it has no options",
    "it declares no modes",
    "is not downloaded",
)
"""Why a check is not run: there is nothing of its kind, or not on every machine."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.plugin.name}: {case}")
def test_a_built_in_conforms(case: Case) -> None:
    result = run(case)
    if result.outcome is Outcome.NOT_RUN:
        assert any(each in result.reason for each in ELSEWHERE), result.reason
    else:
        assert result.outcome is Outcome.PASS, result.reason


def test_every_check_has_a_built_in_that_it_looks_at() -> None:
    assert {case.check for case in CASES} == set(CHECKS)
