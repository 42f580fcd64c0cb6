"""Every built-in plugin has a conformance test of its own, and every check of the kit looks at one of them."""

from pathlib import Path

from ganzoo.testing.checks import CHECKS, cases_of
from ganzoo.zoo.names import zoo

PLUGINS = [plugin for plugin in zoo().manager.plugins if plugin.builtin]


def test_every_plugin_has_a_conformance_test() -> None:
    tests = [file.read_text("utf-8") for file in Path(__file__).parent.glob("test_*.py")]
    for plugin in PLUGINS:
        named = f'class TestConformance(PluginConformance):\n    plugin = "{plugin.name}"\n'
        assert sum(named in test for test in tests) == 1, plugin.name


def test_every_check_has_a_built_in_that_it_looks_at() -> None:
    assert {case.check for plugin in PLUGINS for case in cases_of(plugin)} == set(CHECKS)
