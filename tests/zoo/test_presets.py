"""Presets of a model: what ``--set preset=NAME`` lays over its defaults."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ganzoo.cli import main
from ganzoo.config import RunConfig
from ganzoo.errors import ExitCode, PluginError, UsageError
from ganzoo.specs import Architecture, Loss, Model, Preset, Spec
from ganzoo.zoo.discovery import Manager, Plugin, State, discover
from ganzoo.zoo.names import Zoo
from ganzoo.zoo.recipe import resolve


@dataclass(frozen=True, kw_only=True)
class Options:
    latent_dim: int = 4
    width: int = 8


NET = Architecture(name="net", generator="a:G", discriminator="a:D", options=Options, resolutions=(8, 32, 64))
LOSS = Loss(name="score", target="a:L", defaults={"critic_steps": 3})
SMALL = Preset(
    summary="narrow networks",
    defaults={"options": {"width": 2}, "batch": 16, "kimg": 9.6, "generator": {"lr": 1e-3}},
    resolutions=(32, 64),
)
MODEL = Model(
    name="net",
    architecture="net",
    loss="score",
    defaults={"batch": 20, "steps": 30, "options": {"width": 5}, "critic_steps": 2},
    defaults_up_to={32: {"steps": 10, "options": {"width": 6, "latent_dim": 7}}},
    presets={"small": SMALL, "other": Preset(defaults={"size": 64})},
)


@pytest.fixture
def a_zoo() -> Callable[..., Zoo]:
    def make(model: Model = MODEL) -> Zoo:
        specs: tuple[Spec, ...] = (NET, LOSS, model, replace(LOSS, name="other-score"))
        fields = {"version": "1", "location": "", "target": "acme", "api": "v1", "state": State.ACTIVE}
        plugin = Plugin(name="net", distribution="acme", specs=specs, **fields)  # type: ignore[arg-type]
        return Zoo(Manager([*discover(), plugin]))

    return make


def test_a_preset_lies_over_the_defaults_and_under_what_a_person_says(a_zoo: Callable[..., Zoo]) -> None:
    def config(**settings: object) -> RunConfig:
        return resolve(a_zoo(), "net", {"size": 32, **settings}).config

    plain, small = config(), config(preset="small")
    assert (plain.batch, plain.steps, plain.options) == (20, 10, {"latent_dim": 7, "width": 6})
    assert (small.batch, small.steps, small.options) == (16, 300, {"latent_dim": 7, "width": 2})
    assert (plain.preset, small.preset) == ("", "small")
    assert (small.generator.lr, small.discriminator.lr, small.critic_steps) == (1e-3, 2e-4, 2)
    assert config(preset="small", options={"width": 3}).options["width"] == 3
    assert config(preset="small", steps=5).steps == 5
    assert resolve(a_zoo(), "net", {"preset": "other"}).config.size == 64


def test_a_preset_of_options_is_not_forced_on_another_architecture(a_zoo: Callable[..., Zoo]) -> None:
    settings = {"size": 32, "preset": "small", "architecture": "dcgan", "loss": "other-score"}
    config = resolve(a_zoo(), "net", settings).config
    assert (config.options, config.batch) == ({"latent_dim": 100, "discriminator_norm": "batch"}, 16)


def test_a_resolved_configuration_is_itself_again(a_zoo: Callable[..., Zoo]) -> None:
    config = resolve(a_zoo(), "net", {"size": 32, "preset": "small"}).config
    assert resolve(a_zoo(), config.model, config.to_dict()).config == config


def test_a_run_without_one_is_the_run_that_it_was_before_there_were_any() -> None:
    config = RunConfig(model="m", architecture="a", loss="l")
    assert replace(config, preset="").fingerprint() == config.fingerprint()
    assert replace(config, preset="small").fingerprint() != config.fingerprint()


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"preset": "smal"}, "model 'net' has no preset 'smal'", "did you mean 'small'?"),
        ({"preset": "zzz"}, "model 'net' has no preset 'zzz'", "choose one of: other, small"),
        ({"preset": 1}, "model 'net' has no preset 1", "choose one of: other, small"),
        (
            {"preset": "small", "size": 8},
            "preset 'small' of model 'net' is not meant for 8 pixels",
            "--size: one of 32, 64; or leave the preset out",
        ),
    ],
)
def test_a_preset_that_cannot_be_is_refused(
    a_zoo: Callable[..., Zoo], settings: dict[str, object], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(a_zoo(), "net", settings)
    assert (str(caught.value), caught.value.hint, caught.value.exit_code) == (message, hint, ExitCode.USAGE)


def test_a_model_without_presets_says_so(a_zoo: Callable[..., Zoo]) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(a_zoo(replace(MODEL, presets={})), "net", {"preset": "small"})
    assert (str(caught.value), caught.value.hint) == ("model 'net' has no preset 'small'", "leave it out")


@pytest.mark.parametrize("defaults", [{"widht": 1}, {"preset": "other"}, {"threads": 2}, {"steps": 1, "kimg": 1.0}])
def test_a_preset_that_is_made_wrongly_is_the_plugins_fault(
    a_zoo: Callable[..., Zoo], defaults: dict[str, object]
) -> None:
    model = replace(MODEL, presets={"bad": Preset(defaults=defaults)})
    with pytest.raises(PluginError, match=r"^model 'net' is made wrongly: "):
        resolve(a_zoo(model), "net", {"preset": "bad", "size": 32})
    assert resolve(a_zoo(model), "net", {"size": 32}).config.steps == 10


def test_models_show_lists_them(
    a_zoo: Callable[..., Zoo], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("ganzoo.cli.models.zoo", a_zoo)
    assert main(["models", "show", "net"]) == 0
    page = capsys.readouterr().out
    assert "preset small" in page
    assert "narrow networks (32, 64 pixels)" in page
    assert main(["models", "show", "net", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["presets"]["small"]["resolutions"] == [32, 64]
