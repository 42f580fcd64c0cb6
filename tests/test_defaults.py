"""What a plugin's defaults mean: one merged configuration decides everything, and senseless keys are refused."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ganzoo.config import Schedule
from ganzoo.errors import NotFoundError, PluginError, UsageError
from ganzoo.zoo.names import Zoo, zoo
from ganzoo.zoo.recipe import Recipe, resolve

SPECS = """
from dataclasses import dataclass
from ganzoo import Architecture, Augmentation, Loss, Model, Optimizer, Penalty, Preset, hookimpl

@dataclass(frozen=True, kw_only=True)
class Options:
    width: int = 8

@dataclass(frozen=True, kw_only=True)
class Noise:
    strength: float = 0.5

@dataclass(frozen=True, kw_only=True)
class Rate:
    decay: float = 0.9

@dataclass(frozen=True, kw_only=True)
class Smoothing:
    smooth: float = 0.9
    kind: str = "one-sided"

@dataclass(frozen=True, kw_only=True)
class Around(Penalty):
    name: str = "around"
    radius: float = 0.5
    def points(self, step): return step.real.images
    def value(self, squared_norm): return squared_norm

@hookimpl
def ganzoo_specs():
    net = dict(generator="ganzoo_plugins.vanilla.networks:Generator", options=Options)
    for name, sizes, conditional in (("net", (8, 16), False), ("big", (32,), False), ("classes", (8,), True)):
        yield Architecture(
            name=name, discriminator=f"pkg.{name}:D", resolutions=sizes, conditional=conditional, **net
        )
    yield Augmentation(name="noise", target="pkg:Noise", options=Noise)
    yield Augmentation(name="other", target="pkg:Noise", options=Noise)
    yield Optimizer(name="lion", target="pkg:lion", options=Rate)
    yield Loss(name="smoothed", target="pkg:Smoothed", options=Smoothing, penalties=(Around(),))
    yield Loss(name="bare", target="pkg:Bare", defaults={LOSS})
    yield Model(name="mine", architecture="net", loss="smoothed", defaults={MODEL})
    yield Model(name="plain", architecture="net", loss="bare")
    noise = {"augment": "noise", "augment_options": {"strength": 0.1}}
    yield Model(
        name="grows",
        architecture="net",
        loss="bare",
        defaults=noise,
        defaults_up_to={8: {"augment": ""}},
        presets={"other": Preset(defaults={"augment": "other", "augment_options": {"strength": 0.4}})},
    )
"""


@pytest.fixture
def resolved(install: Callable[..., Any]) -> Iterator[Callable[..., Recipe]]:
    """A recipe of the plugin's, whose model and loss have some defaults."""

    def make(defaults: dict[str, Any], *settings: dict[str, Any], model: str = "mine", loss: Any = None) -> Recipe:
        text = SPECS.replace("{MODEL}", repr(defaults)).replace("{LOSS}", repr(loss or {}))
        install("ganzoo-defaults", {"plugin": text})
        zoo.cache_clear()
        found: Zoo = zoo()
        return resolve(found, model, *settings, native=lambda _: (8, 8))

    yield make
    zoo.cache_clear()


def test_an_augmentation_of_the_defaults_is_applied(resolved: Callable[..., Recipe]) -> None:
    recipe = resolved({"augment": "noise", "augment_options": {"strength": 0.1}})
    assert recipe.augmentation is not None
    assert recipe.config.augment == "ganzoo-defaults/noise"
    assert recipe.augment_options.strength == 0.1
    again = resolve(zoo(), "mine", recipe.config.to_dict())
    assert again.config == recipe.config
    assert again.augmentation is recipe.augmentation
    for settings, name, strength in (
        ({"augment": ""}, None, None),
        ({"augment": "other"}, "other", 0.5),  # the options were another one's
        ({"augment": "noise"}, "noise", 0.1),
        ({"augment_options": {"strength": 0.2}}, "noise", 0.2),
    ):
        recipe = resolve(zoo(), "mine", settings)
        assert (recipe.augmentation.name if recipe.augmentation else None) == name
        assert (recipe.augment_options.strength if recipe.augmentation else None) == strength


def test_options_of_an_augmentation_do_not_count_for_another_one(resolved: Callable[..., Recipe]) -> None:
    """In a model's defaults for small images and its presets as in what a person says; see SPECS."""
    assert resolved({}, model="grows").augmentation is None
    assert resolve(zoo(), "grows", {"size": 16}).augment_options.strength == 0.1
    assert resolve(zoo(), "grows", {"size": 8, "augment": "noise"}).augment_options.strength == 0.5
    other = resolve(zoo(), "grows", {"size": 16, "preset": "other"})
    assert other.augmentation is not None
    assert (other.augmentation.name, other.augment_options.strength) == ("other", 0.4)


def test_size_name_and_data_of_the_defaults(resolved: Callable[..., Recipe]) -> None:
    config = resolved({"size": 16, "name": "my-name", "data": "dots"}).config
    assert (config.size, config.name, config.data) == (16, "my-name", "dots")
    config = resolve(zoo(), "mine", {"size": 8, "name": "other"}).config
    assert (config.size, config.name) == (8, "other")


@pytest.mark.parametrize("key", ["model", "architecture", "loss", "init_from", "device", "threads"])
@pytest.mark.parametrize("where", ["model", "loss"])
def test_keys_that_no_defaults_decide(resolved: Callable[..., Recipe], key: str, where: str) -> None:
    value = 1 if key == "threads" else "cpu"
    of_model = where == "model"
    with pytest.raises(PluginError) as caught:
        resolved({key: value} if of_model else {}, model="mine" if of_model else "plain", loss={key: value})
    name = "model 'mine'" if where == "model" else "loss 'bare'"
    assert str(caught.value) == f"{name} is made wrongly: its defaults cannot decide {key!r}"


@pytest.mark.parametrize("key", ["name", "size", "data", "options"])
def test_keys_that_are_no_losss(resolved: Callable[..., Recipe], key: str) -> None:
    value = {"name": "x", "size": 8, "data": "dots", "options": {"width": 8}}[key]
    with pytest.raises(PluginError, match=rf"(?m)^loss 'bare' is made wrongly: its defaults cannot decide '{key}'$"):
        resolved({}, model="plain", loss={key: value})


def test_options_of_a_loss_and_of_a_penalty(resolved: Callable[..., Recipe]) -> None:
    recipe = resolved({"loss_options": {"smooth": 0.8}, "penalties": {"around": {"options": {"radius": 0.25}}}})
    assert (recipe.loss_options.smooth, recipe.loss_options.kind) == (0.8, "one-sided")
    assert recipe.config.loss_options == {"smooth": 0.8, "kind": "one-sided"}
    (penalty,) = recipe.penalties
    assert (penalty.name, penalty.radius, penalty.weight) == ("around", 0.25, 1.0)  # type: ignore[attr-defined]
    assert recipe.config.penalties["ganzoo-defaults/around"].options == {"radius": 0.25}
    assert resolve(zoo(), "mine", recipe.config.to_dict()).penalties == recipe.penalties
    table = {"from": 0.5, "to": 0.1}
    recipe = resolve(zoo(), "mine", {"penalties": {"around": {"options": {"radius": table}}}})
    assert recipe.penalties[0].radius == Schedule(start=0.5, to=0.1)  # type: ignore[attr-defined]
    other = resolve(zoo(), "mine", {"loss": "hinge"})
    assert (other.loss_options, other.config.loss_options, other.penalties) == (None, {}, ())


@pytest.mark.parametrize(
    ("settings", "problem", "hint"),
    [
        ({"loss_options": {"smoth": 1.0}}, "unknown configuration key 'loss_options.smoth'", "did you mean 'loss_opt"),
        ({"loss_options": 3}, "configuration key 'loss_options': expected a table", "--set loss_options.KEY=VALUE"),
        (
            {"loss_options": {"smooth": "x"}},
            "configuration key 'loss_options.smooth': expected `float`",
            "a number, such as 0.001",
        ),
        (
            {"loss": "hinge", "loss_options": {"smooth": 1.0}},
            "unknown configuration key 'loss_options.smooth'",
            "loss 'hinge' has none",
        ),
        (
            {"penalties": {"around": {"options": {"radios": 1.0}}}},
            "unknown configuration key 'penalties.ganzoo-defaults/around.options.radios'",
            "did you mean 'penalties.ganzoo-defaults/around.options.radius'?",
        ),
        ({"augment_options": {"strength": 1.0}}, "augment_options without an augmentation", "--set augment=diffaugm"),
        (
            {"generator": {"optimizer": "sgd", "betas": [0.0, 0.9]}},
            "unknown configuration key 'generator.betas'; optimizer 'sgd' has no such option",
            "choose one of: generator.lr, generator.momentum",
        ),
        (
            {"generator": {"optimizer": 3}},
            "configuration key 'generator.optimizer': expected a name, got 3",
            "--set gen",
        ),
        ({"generator_options": {"width": 8}}, "generator_options without generator_of", "--set generator_of=NAME"),
        ({"generator_of": 3}, "configuration key 'generator_of': expected a name, got 3", "ganzoo models lists them"),
        (
            {"generator_of": "ganzoo-defaults/classes"},
            "the generator of 'classes' and the discriminator of 'net' do not go together: only 'classes' takes labels",
            "ganzoo models",
        ),
        (
            {"discriminator_of": "ganzoo-defaults/big"},
            "the generator of 'net' and the discriminator of 'big' make no images of one size and number of channels",
            "ganzoo models",
        ),
    ],
)
def test_what_cannot_be_set(resolved: Callable[..., Recipe], settings: dict[str, Any], problem: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolved({}, settings)
    assert str(caught.value).startswith(problem)
    assert str(caught.value.hint).startswith(hint)


def test_an_unknown_optimizer(resolved: Callable[..., Recipe]) -> None:
    with pytest.raises(NotFoundError, match=r"(?m)^unknown optimizer 'adm'$"):
        resolved({}, {"discriminator": {"optimizer": "adm"}})


def test_optimizers_by_network(resolved: Callable[..., Recipe]) -> None:
    """A model's own; options of the one before do not count where another is asked for."""
    defaults = {
        "generator": {"optimizer": "lion", "lr": 1e-4, "decay": 0.95},
        "discriminator": {"betas": [0.0, 0.9], "lr": 4e-4},
    }
    recipe = resolved(defaults)
    spec, options = recipe.optimizers["generator"]
    assert (spec.name, options.decay, recipe.config.generator.lr) == ("lion", 0.95, 1e-4)
    assert recipe.config.to_dict()["generator"] == {"lr": 1e-4, "optimizer": "ganzoo-defaults/lion", "decay": 0.95}
    assert recipe.config.to_dict()["discriminator"] == {
        "lr": 4e-4,
        "optimizer": "adam",
        "betas": [0.0, 0.9],
        "eps": 1e-8,
        "weight_decay": 0.0,
    }
    recipe = resolve(zoo(), "mine", {"discriminator": {"optimizer": "rmsprop", "alpha": 0.9}})
    assert recipe.config.to_dict()["discriminator"]["alpha"] == 0.9
    assert "betas" not in recipe.config.to_dict()["discriminator"]
    assert recipe.config.discriminator.lr == 4e-4
    assert {spec.name for spec in recipe.specs} >= {"lion", "rmsprop"}


def test_networks_of_two_architectures(resolved: Callable[..., Recipe]) -> None:
    recipe = resolved({}, {"generator_of": "vanilla", "generator_options": {"width": 5}, "options": {"width": 6}})
    assert recipe.architecture.name == "vanilla+net"
    assert recipe.architecture.generator == "ganzoo_plugins.vanilla.networks:Generator"
    assert recipe.architecture.discriminator == "pkg.net:D"
    assert recipe.architecture.resolutions == (8, 16)
    assert recipe.networks["generator"][1].width == 5
    assert recipe.networks["discriminator"][1].width == 6
    assert recipe.config.generator_of == "vanilla"
    assert {spec.name for spec in recipe.specs} >= {"vanilla", "net"}
    assert resolve(zoo(), "mine", recipe.config.to_dict()).config == recipe.config


def test_a_network_of_another_by_default(resolved: Callable[..., Recipe]) -> None:
    of_defaults = resolved({"discriminator_of": "dcgan"}).config
    assert of_defaults.discriminator_of == "dcgan"
    assert of_defaults.discriminator_options["discriminator_norm"] == "batch"
