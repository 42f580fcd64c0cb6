"""Models: what they configure beside their defaults, and what in them is no business of the kit's own model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from ganzoo import Architecture, Loss, Model, Preset
from ganzoo.testing import stand
from ganzoo.testing.running import Outcome, Result
from ganzoo.zoo.installed import Plugin

ResultOf = Callable[..., Result]


@dataclass(frozen=True, kw_only=True, eq=False)
class NotCompared:
    latent_dim: int = 4


@dataclass(frozen=True, kw_only=True)
class NotANumber:
    latent_dim: int = 4
    threshold: float = float("nan")


@dataclass(frozen=True, kw_only=True)
class Rounded:
    """A tuple of lists becomes a list of lists."""

    strengths: Any = (1, 2)


def model(**fields: Any) -> Model:
    return Model(**{"name": "trap", "architecture": "vanilla", "loss": "non-saturating", **fields})


def architecture(options: type) -> Architecture:
    """The stand's networks with other options."""
    return Architecture(
        name="trap",
        generator=f"{stand.__name__}:Generator",
        discriminator=f"{stand.__name__}:Discriminator",
        options=options,
        resolutions=(8,),
        conditional=True,
    )


def preset(*resolutions: int, **defaults: Any) -> dict[str, Any]:
    return {"presets": {"small": Preset(defaults=defaults, resolutions=resolutions)}}


CONFIGURATIONS = {
    "an unknown key in a preset": (preset(32, optoins={}), "with preset=small, size=32: ", "key 'optoins'"),
    "a wrong value in a preset": (preset(batch="many"), "with preset=small, size=0: ", "key 'batch'"),
    "a preset for sizes that are not made": (preset(7), "with preset=small, size=7: ", "makes no 7x7 images"),
    "an unknown key at a size": ({"defaults_up_to": {8: {}, 64: {"nonsense": 1}}}, "with size=64: ", "key 'nonsense'"),
    "a limit between two sizes": ({"defaults_up_to": {8: {}, 50: {"nonsense": 1}}}, "with size=32: ", "key 'nonsense'"),
    "no file of measurements": ({"measured": "json:absent.json"}, "json:absent.json (model 'trap')", "cannot be read"),
    "no such architecture": ({"architecture": "nowhere"}, "", "unknown architecture 'nowhere'"),
}


@pytest.mark.parametrize(("fields", "begin", "reason"), CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_configuration(
    plug: Callable[..., Plugin], result_of: ResultOf, fields: dict[str, Any], begin: str, reason: str
) -> None:
    spec = model(**fields)
    result = result_of(plug(spec), "configuration", spec)
    assert result.outcome is Outcome.FAIL
    assert result.reason.startswith(begin)
    assert reason in result.reason


def test_a_sound_configuration(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    """No image is as small as the least limit: what stands there may be for another architecture."""
    spec = model(**preset(32, 64, batch=16), defaults_up_to={4: {"steps": 10}, 32: {"steps": 100}})
    result = result_of(plug(spec), "configuration", spec)
    assert (result.outcome, result.reason) == (Outcome.PASS, "architecture vanilla, loss non-saturating")


def test_a_model_without_an_architecture_fails_each_check(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = model(architecture="nowhere")
    plugin = plug(spec)
    for check in ("resume", "two ranks"):
        result = result_of(plugin, check, spec)
        assert result.outcome is Outcome.FAIL
        assert result.reason.startswith("unknown architecture 'nowhere'")


def test_parts_of_a_large_batch_are_no_parts_of_a_small_one(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = model(defaults={"batch": 256, "accumulate": 16})
    assert result_of(plug(spec), "resume", spec).outcome is Outcome.PASS


def test_no_name_is_taken_by_the_kit(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    name = stand.NAME.rpartition(".")[2]
    loss = Loss(name=name, target="ganzoo_plugins.losses.losses:Hinge")
    spec = model(name=name, loss=name)
    plugin = plug(spec, loss)
    for check, each in (("names", None), ("resume", spec), ("resume", loss)):
        assert result_of(plugin, check, each).outcome is Outcome.PASS


def test_no_hint_is_at_a_part_of_the_kit(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = model(architecture=stand.NAME.replace(".", "-"))
    result = result_of(plug(spec), "configuration", spec)
    assert "; choose one of: " in result.reason
    assert stand.NAME not in result.reason


@pytest.mark.parametrize("options", [NotCompared, NotANumber])
def test_options_that_are_not_equal_to_themselves(
    plug: Callable[..., Plugin], result_of: ResultOf, options: type
) -> None:
    built = architecture(options)
    spec = model(architecture="trap")
    plugin = plug(built, spec)
    assert result_of(plugin, "options", built).outcome is Outcome.PASS
    assert result_of(plugin, "configuration", spec).outcome is Outcome.PASS


def test_options_that_change_on_their_way(plug: Callable[..., Plugin], result_of: ResultOf) -> None:
    spec = architecture(Rounded)
    result = result_of(plug(spec), "options", spec)
    assert result.outcome is Outcome.FAIL
    assert result.reason == "through TOML, strengths=(1, 2) becomes [1, 2]"
