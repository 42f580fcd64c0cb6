"""``PluginConformance``: the checks as a pytest class. pytest is imported only while its tests run."""

from collections.abc import Mapping
from typing import Any, ClassVar

from ganzoo.testing.checks import Case, cases_of, check_exemptions, check_settings


class PluginConformance:
    """The checks of one plugin, each as a test of its own; subclass it as ``Test…`` and name the plugin.

    Attributes:
        plugin: the plugin's name, as ``name`` or ``distribution/name``.
        exempt: the name of a check, or ``CHECK of KIND NAME``, -> why it cannot pass. A check that passes all the same
            fails.
        settings: configuration over each model's in the checks that train: ``{"options": {"width": 8}}``, say.
    """

    plugin: ClassVar[str] = ""
    exempt: ClassVar[Mapping[str, str]] = {}
    settings: ClassVar[Mapping[str, Any]] = {}

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Make a test of each check; pytest calls it when it collects the class."""
        if "case" in metafunc.fixturenames:
            from ganzoo.testing.finding import find_plugin

            plugin = find_plugin(self.plugin)
            cases = cases_of(plugin)
            check_exemptions(self.exempt, cases)
            check_settings(self.settings, [plugin])
            metafunc.parametrize("case", cases, ids=str)

    def test_conformance(self, case: Case) -> None:
        """The plugin passes the check, or is exempt from it."""
        import pytest

        from ganzoo.testing.running import Outcome, run

        result = run(case, exempt=self.exempt, settings=self.settings)
        if result.outcome is Outcome.FAIL:
            pytest.fail(result.reason, pytrace=False)
        if result.outcome is Outcome.EXEMPT:
            pytest.xfail(result.reason)
        if result.outcome is Outcome.NOT_RUN:
            pytest.skip(result.reason)
