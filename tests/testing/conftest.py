"""Plugins that are not installed, and one check of one of their specs."""

from collections.abc import Callable
from typing import Any

import pytest

from ganzoo import Spec
from ganzoo.testing.checks import CHECKS, Case
from ganzoo.testing.running import Result, run
from ganzoo.zoo.installed import API, Plugin, State
from ganzoo.zoo.names import zoo


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plugin]:
    """``plug(*specs)``: a plugin that provides them, as if it were installed."""

    def make(*specs: Spec, module: str = "traps", **fields: Any) -> Plugin:
        given = {"state": State.ACTIVE, "api": API, "version": "1.0", "location": "", **fields}
        plugin = Plugin(name="trap", distribution="traps", target=module, specs=specs, **given)
        monkeypatch.setattr(zoo().manager, "plugins", [*zoo().manager.plugins, plugin])
        return plugin

    return make


@pytest.fixture(scope="session")
def result_of() -> Callable[..., Result]:
    """``result_of(plugin, check, spec)``: what comes of a check, by its name; ``spec`` is None for the plugin's own."""

    def look(plugin: Plugin, check: str, spec: Spec | None = None, **arguments: Any) -> Result:
        (found,) = (each for each in CHECKS if each.name == check)
        return run(Case(found, plugin, spec), **arguments)

    return look
