"""Settings that no training takes are refused before the checks: no plugin is blamed for them."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from ganzoo import Model, Preset
from ganzoo.errors import NotFoundError, UsageError
from ganzoo.testing import PluginConformance
from ganzoo.testing.bench import Bench
from ganzoo.testing.checks import check_settings
from ganzoo.testing.finding import find_plugin
from ganzoo.testing.isolation import check_isolated
from ganzoo.testing.running import check_plugin
from ganzoo.zoo.installed import Plugin, State

WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "an option of an optimizer": (
        {"generator": {"nonsense": 1}},
        "unknown configuration key 'generator.nonsense'",
        "choose one of: generator.",
    ),
    "an option of another optimizer": (
        {"generator": {"optimizer": "adam", "momentum": 0.9}},
        "unknown configuration key 'generator.momentum'",
        "choose one of: generator.",
    ),
    "an optimizer": ({"generator": {"optimizer": "adm"}}, "unknown optimizer 'adm'", "did you mean 'adam'?"),
    "a preset": ({"preset": "smal"}, "no model that is checked has the preset 'smal'", "leave it out"),
    "an augmentation": ({"augment": "diffaugmen"}, "unknown augmentation 'diffaugmen'", "'diffaugment'?"),
    "a loss": ({"loss": "hing"}, "unknown loss 'hing'", "did you mean 'hinge'?"),
    "an architecture": ({"generator_of": "dcgam"}, "unknown architecture 'dcgam'", "did you mean 'dcgan'?"),
    "an observer": ({"observers": ["tensorbord"]}, "unknown observer 'tensorbord'", "'tensorboard'?"),
    "no table of penalties": ({"penalties": 3}, "configuration key 'penalties': expected a table", ""),
    "a penalty": ({"penalties": {"r3": {}}}, "unknown penalty 'r3'", "choose one of: "),
    "a weight": ({"penalties": {"r1": {"weight": "x"}}}, "configuration key 'penalties.r1.weight'", "a number"),
    "a key": ({"batchh": 3}, "unknown configuration key 'batchh'", "did you mean 'batch'?"),
    "an inner key": ({"generator": {"regularise": {"wieght": 1}}}, "'generator.regularise.wieght'", "weight'?"),
    "a value": ({"batch": "many"}, "configuration key 'batch': expected `int`, got `str`", ""),
    "no table": ({"options": 3}, "configuration key 'options': expected a table", "--set options.KEY=VALUE"),
    "an option": (
        {"options": {"wdith": 3}},
        "no architecture that is checked has the option 'wdith'",
        "did you mean 'options.width'?",
    ),
    "a date": (
        {"options": {"x": datetime.date(1979, 5, 27)}},
        "no architecture that is checked has the option 'x'",
        "",
    ),
}


@pytest.mark.parametrize("check", [check_plugin, check_isolated])
@pytest.mark.parametrize(("settings", "message", "hint"), WRONG.values(), ids=WRONG)
def test_wrong_settings(check: Callable[..., Any], settings: dict[str, Any], message: str, hint: str) -> None:
    seen: list[tuple[int, int]] = []
    with pytest.raises((UsageError, NotFoundError)) as caught:
        check(find_plugin("vanilla"), settings=settings, seen=lambda *count: seen.append(count))
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")
    assert seen == []


def test_a_date_reaches_the_other_process() -> None:
    """TOML has dates, and JSON has none."""
    digits = find_plugin("digits")
    settings = {"loss_options": {"x": datetime.date(1979, 5, 27)}}
    assert check_isolated(digits, settings=settings)[-1] == check_plugin(digits)[-1]


def test_in_a_pytest_class() -> None:
    class Metafunc:
        fixturenames = ("case",)

    class Conformance(PluginConformance):
        plugin = "vanilla"
        settings = {"options": {"wdith": 3}}  # noqa: RUF012

    with pytest.raises(UsageError, match="has the option 'wdith'"):
        Conformance().pytest_generate_tests(Metafunc())


def test_settings_that_a_training_takes(plug: Callable[..., Plugin]) -> None:
    vanilla = find_plugin("vanilla")
    settings = {
        "options": {"width": 8},
        "penalties": {"r1": {"every": 2}},
        "generator": {"betas": [0.0, 0.9], "lr": {"from": 2e-4, "to": 1e-5}},
    }
    check_settings(settings, [vanilla])
    # The options are also those of the architecture that a model takes from another plugin.
    check_settings(settings, [plug(Model(name="trap", architecture="vanilla", loss="hinge"))])


def test_options_of_one_of_several_plugins(plug: Callable[..., Plugin]) -> None:
    """Among those that did not come with ganzoo, which are checked together."""
    plugin = plug(Model(name="trap", architecture="vanilla", loss="hinge"))
    other = Plugin(name="none", distribution="others", version="1", location="", target="none", api="v1")
    other.state = State.ACTIVE
    check_settings({"options": {"width": 8}}, [plugin, other])
    with pytest.raises(UsageError, match="has the option 'width'") as caught:
        check_settings({"options": {"width": 8}}, [other])
    assert caught.value.hint == "leave it out: no architecture is checked"


def test_a_preset_counts_for_the_models_that_have_it(plug: Callable[..., Plugin]) -> None:
    with_it, without = (
        Model(name=name, architecture="vanilla", loss="hinge", presets=presets)
        for name, presets in (("large", {"big": Preset(defaults={"critic_steps": 2})}), ("plain", {}))
    )
    plugin = plug(with_it, without)
    check_settings({"preset": "big"}, [plugin])
    with pytest.raises(UsageError, match="no model that is checked has the preset 'bigger'") as caught:
        check_settings({"preset": "bigger"}, [plugin])
    assert caught.value.hint == "did you mean 'big'?"
    presets = [Bench(plugin, {"preset": "big"}).recipe(model).config.preset for model in (with_it, without)]
    assert presets == ["big", ""]


def test_what_a_broken_plugin_would_take_nobody_knows(plug: Callable[..., Plugin]) -> None:
    check_settings({"options": {"anything": 8}}, [plug(state=State.BROKEN, reason="1 / 0")])
