"""From names and settings to what a run is made of, for everything that is installed and for a plugin of our own."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from itertools import product
from typing import Any

import pytest

from ganzoo.config import RunConfig
from ganzoo.data import load
from ganzoo.errors import ExitCode, GanzooError, NotFoundError, PluginError, UsageError
from ganzoo.specs import Architecture, ImageShape, Loss, Model, Penalty, Preset, Spec
from ganzoo.training import setup
from ganzoo.zoo.discovery import Manager, Plugin, State, discover
from ganzoo.zoo.names import Zoo, zoo
from ganzoo.zoo.recipe import fitting_size, resolve
from ganzoo_registry import RegistryError

MODELS, LOSSES = ([zoo().shortest(spec) for spec in zoo().all(kind)] for kind in (Model, Loss))
DIGITS = ImageShape(channels=1, height=8, width=8, classes=10)


def eight(source: str) -> tuple[int, int]:
    """The digits\' own size."""
    return 8, 8


@dataclass(frozen=True, kw_only=True)
class Options:
    latent_dim: int = 4
    width: int | None = None


@dataclass(frozen=True, kw_only=True)
class Loose(Penalty):
    name: str = "loose"
    cap: float | None = None
    table: dict[str, float] = field(default_factory=lambda: {"a": 1.0})
    function: Callable[[Any], Any] = len

    def points(self, step: Any) -> Any:
        return step.real.images

    def value(self, squared_norm: Any) -> Any:
        return squared_norm


@dataclass(frozen=True, kw_only=True)
class Margin(Penalty):
    name: str = "margin"
    weight: float = 3.0
    every: int = 4
    margin: float = 1.0

    def points(self, step: Any) -> Any:
        return step.real.images

    def value(self, squared_norm: Any) -> Any:
        return squared_norm - self.margin


NET = Architecture(name="net", generator="a:G", discriminator="a:D", options=Options, resolutions=(4, 8, 16, 128))
LOSS = Loss(
    name="score",
    target="a:L",
    penalties=(Margin(weight=2.0, margin=7.0),),
    defaults={"critic_steps": 3, "batch": 10, "ema_kimg": 2.0},
)
MODEL = Model(
    name="net",
    architecture="net",
    loss="score",
    defaults={"batch": 20, "ema_kimg": 3.0, "steps": 30, "options": {"width": 5}, "generator": {"lr": 0.1}},
    defaults_up_to={8: {"steps": 10}, 16: {"steps": 20, "options": {"width": 6}}},
)


@pytest.fixture
def make_zoo() -> Callable[..., Zoo]:
    def make(*specs: Spec) -> Zoo:
        ours = Plugin(
            name="net",
            distribution="acme",
            version="1",
            location="",
            target="acme",
            api="v1",
            state=State.ACTIVE,
            specs=specs or (NET, LOSS, MODEL, Margin()),
        )
        return Zoo(Manager([*discover(), ours]))

    return make


@pytest.fixture
def here(make_zoo: Callable[..., Zoo]) -> Zoo:
    return make_zoo()


# Everything that is installed


@pytest.mark.parametrize("model", MODELS)
def test_every_model_resolves_completely_and_its_configuration_survives_its_file(model: str) -> None:
    recipe = setup.settle(resolve(zoo(), model, native=eight))
    config = recipe.config
    assert (config.model, config.name, config.size) == (model, model.rpartition("/")[2], 8)
    assert config.device in ("cpu", "cuda")
    assert config.precision in ("fp32", "bf16")
    again = setup.settle(resolve(zoo(), model, tomllib.loads(config.to_toml()), native=eight))
    assert again == recipe


@pytest.mark.parametrize(("model", "loss"), [*product(MODELS, LOSSES)])
def test_every_model_builds_with_every_loss_or_says_why_not(model: str, loss: str) -> None:
    recipe = setup.settle(resolve(zoo(), model, {"loss": loss, "options": {"latent_dim": 4, "width": 8}}, native=eight))
    spec = zoo().get(Loss, loss)
    assert recipe.loss is spec
    own = zoo().get(Model, model).defaults.get("penalties", {}) if recipe.model.loss == loss else {}
    assert {penalty.name for penalty in recipe.penalties} == {penalty.name for penalty in spec.penalties} | own.keys()
    try:
        setup.assemble(recipe, load(recipe.config.data, zoo()).training)
    except PluginError as error:
        assert any(f"reads {head}, which" in str(error) for head in spec.reads)  # noqa: PT017
    except UsageError as error:
        assert recipe.penalties
        assert "BatchNorm" in str(error)  # noqa: PT017
        assert recipe.penalties[0].name in str(error)  # noqa: PT017
        if "discriminator_norm" not in {field.name for field in fields(recipe.architecture.options)}:
            return
        settings = {"loss": loss, "options": {"latent_dim": 4, "width": 8, "discriminator_norm": "layer"}}
        mended = setup.settle(resolve(zoo(), model, settings, native=eight))
        setup.assemble(mended, load(recipe.config.data, zoo()).training)


def test_a_loss_brings_its_own_critic_steps_and_penalties() -> None:
    assert resolve(zoo(), "dcgan").config.critic_steps == 1
    config = resolve(zoo(), "dcgan", {"loss": "wgan-gp"}).config
    assert (config.critic_steps, config.penalties["gradient-penalty"].weight) == (5, 10.0)
    assert resolve(zoo(), "wgan-gp", {"loss": "hinge"}).config.penalties == {}


# Layers


def test_each_layer_lies_over_the_one_before(here: Zoo) -> None:
    config = resolve(here, "net").config
    assert config.seed == 0  # ours
    assert config.critic_steps == 3  # the loss's
    assert (config.batch, config.ema_kimg, config.generator.lr) == (20, 3.0, 0.1)  # the model's
    assert config.generator.options["betas"] == (0.5, 0.999)  # what the model leaves open
    file, command_line = {"batch": 40, "generator": {"betas": [0.1, 0.2]}}, {"batch": 50}
    config = resolve(here, "net", file, command_line).config
    assert (config.batch, config.ema_kimg) == (50, 3.0)
    assert (config.generator.lr, config.generator.options["betas"]) == (0.1, (0.1, 0.2))


@pytest.mark.parametrize(
    ("settings", "native", "steps", "width"),
    [
        ({}, None, 30, 5),
        ({}, 8, 10, 5),
        ({}, 4, 10, 5),
        ({}, 16, 20, 6),
        ({}, 128, 30, 5),
        ({"size": 16}, 8, 20, 6),
        ({"size": 128}, None, 30, 5),
        ({"size": 8, "steps": 7}, None, 7, 5),
    ],
)
def test_a_model_may_have_other_defaults_for_small_images(
    here: Zoo, settings: dict[str, int], native: int | None, steps: int, width: int
) -> None:
    known = None if native is None else lambda source: (native, native)
    config = resolve(here, "net", settings, native=known).config
    assert (config.steps, config.options["width"]) == (steps, width)


def test_a_models_options_are_not_forced_on_another_architecture(here: Zoo, make_zoo: Callable[..., Zoo]) -> None:
    config = resolve(here, "net", {"architecture": "dcgan", "loss": "hinge"}).config
    assert config.options == {"latent_dim": 100, "discriminator_norm": "batch"}
    by_its_own_name = resolve(here, "net", {"architecture": "acme/net"}).config
    assert by_its_own_name.options == {"latent_dim": 4, "width": 5}


def test_third_party_names_are_pinned_and_built_in_ones_stay_bare(here: Zoo) -> None:
    config = resolve(here, "net", {"penalties": {"r1": {"weight": 1}}}).config
    assert (config.model, config.architecture, config.loss, config.name) == (
        "acme/net",
        "acme/net",
        "acme/score",
        "net",
    )
    assert list(config.penalties) == ["acme/margin", "r1"]
    assert resolve(here, config.model, config.to_dict()).config == config


def test_a_misspelt_default_is_the_plugins_fault(make_zoo: Callable[..., Zoo]) -> None:
    wrong_loss = replace(LOSS, defaults={"critic_stps": 5})
    with pytest.raises(PluginError) as caught:
        resolve(make_zoo(NET, wrong_loss, MODEL), "net")
    assert str(caught.value) == "loss 'score' is made wrongly: unknown configuration key 'critic_stps'"
    assert caught.value.hint == "did you mean 'critic_steps'?"
    assert caught.value.exit_code == ExitCode.PLUGIN
    wrong_model = replace(MODEL, defaults_up_to={8: {"generator": {"learning_rate": 1}}})
    with pytest.raises(PluginError, match=r"unknown configuration key .generator\.learning_rate"):
        resolve(make_zoo(NET, LOSS, wrong_model), "net", native=eight)


# Penalties


def test_penalties_are_added_changed_and_removed(here: Zoo) -> None:
    def penalties(**settings: Any) -> dict[str, tuple[float, int]]:
        recipe = resolve(here, "net", {"penalties": settings})
        return {penalty.name: (penalty.weight, penalty.every) for penalty in recipe.penalties}

    assert penalties() == {"margin": (2.0, 4)}
    assert penalties(margin={"weight": 5}) == {"margin": (5, 4)}
    assert penalties(margin={"every": 16}) == {"margin": (2.0, 16)}
    assert penalties(r1={}) == {"margin": (2.0, 4), "r1": (1.0, 1)}
    assert penalties(r1={"weight": 0.5}, margin={"weight": 0}) == {"r1": (0.5, 1)}
    assert resolve(here, "net", {"penalties": {"margin": {"weight": 0}}}).config.penalties["acme/margin"].weight == 0


def test_a_models_penalties_are_not_forced_on_another_loss(make_zoo: Callable[..., Zoo]) -> None:
    model = replace(MODEL, defaults={"penalties": {"r1": {"weight": 5.0}}})
    ours = make_zoo(NET, LOSS, model, Margin())
    assert set(resolve(ours, "net").config.penalties) == {"acme/margin", "r1"}
    assert resolve(ours, "net", {"loss": "hinge"}).config.penalties == {}


def test_none_where_the_default_is_something(make_zoo: Callable[..., Zoo]) -> None:
    """A file could not say it, so a resumed or exported run would not be the one that was trained."""

    @dataclass(frozen=True, kw_only=True)
    class Wide:
        width: int | None = 16

    ours = make_zoo(replace(NET, options=Wide), LOSS, replace(MODEL, defaults={}, defaults_up_to={}), Margin())
    with pytest.raises(UsageError, match="cannot be None"):
        resolve(ours, "net", {"options": {"width": None}})


def test_a_losss_own_penalty_keeps_what_only_its_plugin_knows(here: Zoo) -> None:
    (penalty,) = resolve(here, "net", {"penalties": {"margin": {"weight": 9}}}).penalties
    assert penalty == Margin(weight=9.0, every=4, margin=7.0)


# Sizes


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (8, 8, 8),
        (128, 128, 128),  # asked of nobody, but exactly what the data are
        (10, 10, 8),
        (16, 200, 16),
        (200, 15, 16),
        (11, 11, 8),
        (12, 12, 16),  # the nearest by ratio
        (129, 129, 16),  # not 128: larger data are shrunk to at most 64
        (4096, 4096, 16),
        (3, 3, 4),  # nothing fits: the smallest
    ],
)
def test_fitting_size(height: int, width: int, size: int) -> None:
    assert fitting_size(NET, height, width) == size


@pytest.mark.parametrize("size", [7, 10_000])
def test_a_size_that_cannot_be_made_is_refused_before_the_data_are_read(size: int) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(zoo(), "dcgan", {"size": size})
    assert str(caught.value) == f"architecture 'dcgan' makes no {size}x{size} images"
    assert caught.value.hint == "choose --size from: 8, 16, 32, 64, 128, 256"


# What is refused


@pytest.mark.parametrize(
    ("settings", "kind", "message", "hint"),
    [
        ({"bacth": 1}, UsageError, "unknown configuration key 'bacth'", "did you mean 'batch'?"),
        ({"xyzzy": 1}, UsageError, "unknown configuration key 'xyzzy'", "choose one of: accumulate, architecture, "),
        (
            {"options": {"widht": 1}},
            UsageError,
            "unknown configuration key 'options.widht'",
            "did you mean 'options.width'?",
        ),
        (
            {"generator": {"beta": 1}},
            UsageError,
            "unknown configuration key 'generator.beta'",
            "did you mean 'generator.betas'?",
        ),
        (
            {"generator": {"lrr": 3}},
            UsageError,
            "unknown configuration key 'generator.lrr'",
            "did you mean 'generator.lr'?",
        ),
        (
            {"discriminator": {"xyzzy": 3}},
            UsageError,
            "unknown configuration key 'discriminator.xyzzy'",
            "choose one of: discriminator.betas, discriminator.eps, discriminator.lr, discriminator.optimizer, "
            "discriminator.regularise, discriminator.weight_decay",
        ),
        (
            {"generator": {"betas": [0.5, 1]}},
            UsageError,
            "configuration key 'generator': betas must be at least 0 and less than 1, and 1 is not",
            "for the defaults: ganzoo models show MODEL",
        ),
        (
            {"generator": {"betas": [0.5]}},
            UsageError,
            "configuration key 'generator.betas': expected `array` of length 2, got 1",
            "a list, such as [0.5, 0.999]",
        ),
        (
            {"observers": "tensorboard"},
            UsageError,
            "configuration key 'observers': expected `array`, got `str`",
            'a list, such as ["tensorboard"]',
        ),
        ({"penalties": {"r1": {"wait": 1}}}, UsageError, "unknown configuration key 'penalties.r1.wait'", "did you"),
        ({"penalties": {"r3": {}}}, NotFoundError, "unknown penalty 'r3'", "choose one of: "),
        ({"loss": "hing"}, NotFoundError, "unknown loss 'hing'", "did you mean 'hinge'?"),
        ({"architecture": "dcgam"}, NotFoundError, "unknown architecture 'dcgam'", "did you mean 'dcgan'?"),
        ({"loss": 3}, UsageError, "configuration key 'loss': expected a name, got 3", "ganzoo models lists them"),
        ({"data": [1]}, UsageError, "configuration key 'data': expected a name, got [1]", "--data PATH"),
        (
            {"augment": 3},
            UsageError,
            "configuration key 'augment': expected a name, got 3",
            "--set augment=diffaugment",
        ),
        ({"generator_of": 3}, UsageError, "configuration key 'generator_of': expected a name", "ganzoo models lists"),
        ({"kimg": 1e306}, UsageError, "kimg: 1e+306 is more than any run takes", "a number such as 1000"),
        ({"kimg": 1e30}, UsageError, "kimg: 1e+30 is more than any run takes", "a number such as 1000"),
        (
            {"penalties": {"r1": {"weight": 1.0, "options": {"k": 3}}}},
            UsageError,
            "unknown configuration key 'penalties.r1.options.k'",
            "penalty 'r1' has none",
        ),
        ({"options": 3}, UsageError, "configuration key 'options': expected a table", "--set options.KEY=VALUE"),
        (
            {"penalties": 3},
            UsageError,
            "configuration key 'penalties': expected a table",
            "--set penalties.r1.weight=1",
        ),
        (
            {"penalties": {"r1": 3}},
            UsageError,
            "configuration key 'penalties.r1': expected a table",
            "--set penalties.",
        ),
        (
            {"options": {"width": "x"}},
            UsageError,
            "configuration key 'options.width': expected `int | null`",
            "a whole",
        ),
        (
            {"options": {"discriminator_norm": "x"}},
            UsageError,
            "configuration key 'options.discriminator_norm': ",
            "choose one of: batch, layer, none",
        ),
        ({"name": "../x"}, RegistryError, "'../x' is not a model name", "use 1 to 64 of a-z, 0-9"),
        ({"name": "A B"}, RegistryError, "'A B' is not a model name", "use 1 to 64 of a-z, 0-9"),
    ],
)
def test_what_is_refused(settings: Any, kind: type[GanzooError], message: str, hint: str) -> None:
    with pytest.raises(kind) as caught:
        resolve(zoo(), "dcgan", settings, native=eight)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert str(caught.value.hint).startswith(hint)


@pytest.mark.parametrize("name", ["dcgam", "dcgn"])
def test_an_unknown_model(name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        resolve(zoo(), name)
    assert (str(caught.value), caught.value.hint) == (f"unknown model {name!r}", "did you mean 'dcgan'?")


@pytest.mark.parametrize(("key", "value"), [("device", "tpu"), ("device", "cuda:x"), ("precision", "fp8")])
def test_devices_and_precisions_that_do_not_exist(key: str, value: str) -> None:
    words = f"unknown {key} '{value}'|configuration key '{key}': invalid enum value '{value}'"
    with pytest.raises(UsageError, match=words) as caught:
        setup.settle(resolve(zoo(), "dcgan", {key: value}))
    assert str(caught.value.hint).startswith("choose one of: auto, ")


def test_a_resolved_configuration_is_of_the_declared_type() -> None:
    assert isinstance(resolve(zoo(), "dcgan").config, RunConfig)


def test_observers_are_plugins_that_watch_runs() -> None:
    config = resolve(zoo(), "dcgan", {"observers": ["tensorboard", "ganzoo/tensorboard"]}).config
    assert config.observers == ["tensorboard", "tensorboard"]
    for name in ("tensorbored", "losses"):  # the latter only has specs
        with pytest.raises(NotFoundError) as caught:
            resolve(zoo(), "dcgan", {"observers": [name]})
        assert str(caught.value) == f"unknown observer {name!r}"
    with pytest.raises(NotFoundError) as caught:
        resolve(zoo(), "dcgan", {"observers": ["tensorbord"]})
    assert "tensorboard" in str(caught.value.hint)


@pytest.mark.parametrize(("kimg", "steps"), [(6.4, 100), (6.401, 101), (0.001, 1)])
def test_a_length_in_kimg_becomes_steps(kimg: float, steps: int) -> None:
    """64 images a step; at least so many are shown."""
    config = resolve(zoo(), "dcgan", {"kimg": kimg}).config
    assert (config.steps, config.kimg) == (steps, 0)
    assert resolve(zoo(), "wgan-gp", {"kimg": 32.0, "batch": 64}).config.steps == 100  # five critic steps a step


@pytest.mark.parametrize(
    "defaults",
    [
        {"steps": 0},
        {"generator": {"lr": "fast"}},
        {"generator": {"lr": {"from": 1e-3, "to": 0.0}}},
        {"loss_options": {"margin": 1.0}},
        {"discriminator_options": {"width": 8}},
    ],
)
def test_a_wrong_value_of_a_models_own_is_the_plugins_fault(
    make_zoo: Callable[..., Zoo], defaults: dict[str, Any]
) -> None:
    model = replace(MODEL, defaults=defaults, defaults_up_to={})
    with pytest.raises(PluginError, match=r"^model 'net' is made wrongly: ") as caught:
        resolve(make_zoo(NET, LOSS, model, Margin()), "net", {"batch": 8})
    assert caught.value.exit_code == ExitCode.PLUGIN
    with pytest.raises(UsageError):
        resolve(make_zoo(NET, LOSS, replace(MODEL, defaults={}, defaults_up_to={}), Margin()), "net", defaults)


BAD_PRESET = {"bad": Preset(defaults={"batch": "big"}), "for-8": Preset(resolutions=(8,))}


@pytest.mark.parametrize(
    ("model", "settings", "who", "problem"),
    [
        ({"presets": BAD_PRESET}, {"preset": "bad"}, "preset 'bad' of model 'net'", "configuration key 'batch'"),
        (
            {"presets": BAD_PRESET},
            {"preset": "bad", "steps": 3},
            "preset 'bad' of model 'net'",
            "configuration key 'batch'",
        ),
        (
            {"defaults_up_to": {16: {"generator": {"lr": -1.0}}}},
            {"size": 16},
            "model 'net'",
            "configuration key 'generator.lr'",
        ),
        ({"defaults_up_to": {16: {"steps": "x"}}}, {"data": "eight"}, "model 'net'", "configuration key 'steps'"),
        ({}, {"loss": "acme/late"}, "loss 'acme/late'", "configuration key 'generator.lr'"),
        (
            {},
            {"loss": "acme/late", "architecture": "dcgan"},
            "loss 'acme/late'",
            "configuration key 'generator.lr'",
        ),
        (
            {"presets": BAD_PRESET},
            {"preset": "bad", "architecture": "dcgan", "loss": "hinge"},
            "preset 'bad' of model 'net'",
            "configuration key 'batch'",
        ),
        ({"defaults": {"size": 9}}, {"loss": "hinge"}, "model 'net'", "architecture 'net' makes no 9x9 images"),
        (
            {"defaults": {"steps": 0}, "defaults_up_to": {}},
            {"size": 16, "loss": "score"},
            "model 'net'",
            "configuration key 'steps'",
        ),
    ],
)
def test_a_wrong_value_that_nobody_typed_is_the_plugins_fault(
    make_zoo: Callable[..., Zoo], model: Any, settings: dict[str, Any], who: str, problem: str
) -> None:
    """What a person chose brought it about, and is no fault."""
    late = Loss(name="late", target="a:L", defaults={"generator": {"lr": "soon"}})
    here = make_zoo(NET, LOSS, replace(MODEL, **{"defaults": {}, **model}), Margin(), late)
    with pytest.raises(PluginError) as caught:
        resolve(here, "net", settings, native=eight)
    assert str(caught.value).startswith(f"{who} is made wrongly: {problem}")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"preset": "none"}, "model 'net' has no preset 'none'"),
        ({"preset": "for-8", "size": 16}, "preset 'for-8' of model 'net' is not meant for 16 pixels"),
        ({"size": 9}, "architecture 'net' makes no 9x9 images"),
        ({"size": "big"}, "configuration key 'size': expected `int`"),
        ({"loss": 3}, "configuration key 'loss': expected a name"),
        ({"preset": "for-8", "batch": "big"}, "configuration key 'batch': expected `int`"),
        ({"size": 16, "generator": {"lr": -1.0}}, "configuration key 'generator.lr'"),
    ],
)
def test_what_a_person_chooses_or_types_is_no_plugins_fault(
    make_zoo: Callable[..., Zoo], settings: dict[str, Any], problem: str
) -> None:
    here = make_zoo(NET, LOSS, replace(MODEL, presets=BAD_PRESET), Margin())
    with pytest.raises(UsageError) as caught:
        resolve(here, "net", settings, native=eight)
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(
    ("defaults", "settings"), [({"size": 16}, {}), ({"size": 16}, {"loss": "hinge"}), ({}, {"preset": "large"})]
)
def test_a_size_of_a_model_is_no_fault_where_a_person_chose_an_architecture_that_does_not_make_it(
    make_zoo: Callable[..., Zoo], defaults: dict[str, Any], settings: dict[str, Any]
) -> None:
    model = replace(MODEL, defaults=defaults, presets={"large": Preset(defaults={"size": 16})})
    here = make_zoo(NET, LOSS, model, Margin(), replace(NET, name="little", resolutions=(4, 8)))
    chosen = {"architecture": "little", **settings}
    with pytest.raises(UsageError) as caught:
        resolve(here, "net", chosen, native=eight)
    assert str(caught.value) == "architecture 'little' makes no 16x16 images"
    assert caught.value.hint == "choose --size from: 4, 8"
    assert resolve(here, "net", {**chosen, "size": 8}).config.size == 8


def test_options_of_an_augmentation_that_went_with_a_models_loss_are_no_fault_of_the_model(
    make_zoo: Callable[..., Zoo],
) -> None:
    loss = replace(LOSS, defaults={"augment": "diffaugment"})
    model = replace(MODEL, defaults={"augment_options": {"policy": ["colour"]}})
    here = make_zoo(NET, loss, model, Margin())
    assert resolve(here, "net").config.augment == "diffaugment"
    with pytest.raises(UsageError, match="augment_options without an augmentation"):
        resolve(here, "net", {"loss": "hinge"})


def test_none_in_a_table_is_refused_where_no_file_could_say_it(make_zoo: Callable[..., Zoo]) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Tables:
        latent_dim: int = 4
        table: dict[str, int | None] = field(default_factory=dict)

    ours = make_zoo(replace(NET, options=Tables), LOSS, replace(MODEL, defaults={}, defaults_up_to={}), Margin())
    assert "table" in resolve(ours, "net", {"options": {"table": {"a": 1}}}).config.to_toml()
    with pytest.raises(UsageError, match=r"configuration key 'options\.table' cannot hold None"):
        resolve(ours, "net", {"options": {"table": {"a": None}}})


def test_a_loss_without_a_discriminator_takes_no_critic_steps_of_another_losss_model(
    make_zoo: Callable[..., Zoo],
) -> None:
    moments = Loss(name="moments", target="a:L", adversarial=False)
    model = replace(MODEL, defaults={"critic_steps": 5})
    here = make_zoo(NET, LOSS, model, Margin(), moments)
    assert resolve(here, "net", {"loss": "moments"}).config.critic_steps == 1
    assert resolve(here, "net").config.critic_steps == 5
    with pytest.raises(UsageError, match="critic_steps is of a discriminator, and loss 'moments' has none"):
        resolve(here, "net", {"loss": "moments", "critic_steps": 2})


def test_options_of_a_penalty_may_be_none_or_tables(make_zoo: Callable[..., Zoo]) -> None:
    """Which options there are, its fields say, and not what their defaults are; but for what no file can hold."""
    here = make_zoo(NET, LOSS, MODEL, Margin(), Loose())

    def made(**options: Any) -> tuple[dict[str, Any], Loose]:
        recipe = resolve(here, "net", {"penalties": {"loose": {"options": options}}})
        assert resolve(here, "net", tomllib.loads(recipe.config.to_toml())).penalties == recipe.penalties
        (penalty,) = (penalty for penalty in recipe.penalties if isinstance(penalty, Loose))
        return recipe.config.penalties["acme/loose"].options, penalty

    assert made() == ({"table": {"a": 1.0}}, Loose())
    options, penalty = made(cap=2.0, table={"b": 3.0})
    assert options == {"cap": 2.0, "table": {"a": 1.0, "b": 3.0}}
    assert (penalty.cap, penalty.table) == (2.0, {"a": 1.0, "b": 3.0})
    for wrong in ({"cap": "high"}, {"function": "len"}, {"cop": 1.0}):
        with pytest.raises(UsageError, match=f"penalties.acme/loose.options.{next(iter(wrong))}"):
            made(**wrong)


def test_the_last_word_on_length_counts() -> None:
    first, second = {"steps": 7}, {"kimg": 6.4}
    assert resolve(zoo(), "dcgan", first, second).config.steps == 100
    assert resolve(zoo(), "dcgan", second, first).config.steps == 7
    with pytest.raises(UsageError) as caught:
        resolve(zoo(), "dcgan", {**first, **second})
    assert str(caught.value) == "steps and kimg exclude each other"
    assert resolve(zoo(), "dcgan", {"steps": 7, "kimg": 0.0}, second).config.steps == 100  # over a run's config.toml


def test_a_length_takes_the_place_of_a_plugins_in_the_other_unit(make_zoo: Callable[..., Zoo]) -> None:
    def steps(*settings: dict[str, float], loss: Loss = LOSS, **defaults: float) -> int:
        model = replace(MODEL, defaults=defaults, defaults_up_to={})
        return resolve(
            make_zoo(NET, loss, model, Margin()), "net", {"batch": 64, "critic_steps": 1}, *settings
        ).config.steps

    assert steps(kimg=64.0) == 1000
    assert steps({"steps": 5}, kimg=64.0) == 5
    assert steps({"steps": 5, "kimg": 0.0}, kimg=64.0) == 5
    assert steps({"kimg": 6.4}, steps=30) == 100
    assert steps(loss=replace(LOSS, defaults={"kimg": 6.4})) == 100
    assert steps(loss=replace(LOSS, defaults={"kimg": 6.4}), steps=30) == 30
    with pytest.raises(PluginError) as caught:
        steps(kimg=64.0, steps=30)
    assert str(caught.value) == "model 'net' is made wrongly: steps and kimg exclude each other"
