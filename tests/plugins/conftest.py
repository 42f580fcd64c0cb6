"""What a conformance check of a built-in may be skipped for: there is nothing of its kind, or not on every machine."""

from collections.abc import Generator

import pytest

KNOWN = (
    "no CUDA device",
    "it has no hooks of runs",
    "it has no options",
    "it declares no modes",
    "declares batch_coupled",
    "is not downloaded",
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a check fail that is skipped for any other reason."""
    report = yield
    reason = str(call.excinfo.value) if call.excinfo else ""
    if report.skipped and "test_conformance" in item.name and not any(each in reason for each in KNOWN):
        report.outcome, report.longrepr = "failed", f"it was not run: {reason}"
    return report
