"""From names and settings to the specs and the configuration of a run."""

import math
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from ganzoo.config import NETWORKS, FakeLabels, RunConfig, Settings, check_keys, convert, layered
from ganzoo.errors import GanzooError, PluginError, UsageError, did_you_mean
from ganzoo.records.best import check_best
from ganzoo.specs import Architecture, Augmentation, Loss, Model, Optimizer, Penalty, Preset, Spec
from ganzoo.zoo.names import Zoo
from ganzoo.zoo.options import as_name, augmented, optimizers, options_of, penalty_tables, weighed
from ganzoo.zoo.parts import LISTED, parts
from ganzoo_registry.refs import check_new_name

SpecT = TypeVar("SpecT", bound=Spec)

Native = Callable[[str], tuple[int, int]]
"""The value of ``data`` -> height and width of the images that it names."""

OF_NO_DEFAULTS = ("model", "architecture", "loss", "preset", "init_from", "device", "threads")
"""Keys that no plugin's defaults may decide: names that the spec has already, other weights, the machine."""

OF_NO_LOSS = ("name", "size", "data", "options")
"""Keys that a loss's defaults may not decide, either: what belongs to models and architectures."""

LAYERS = ("loss", "model", "preset")
"""Whose defaults lie over one another, the last ones on top."""

CHOICES = ("architecture", "loss", "preset", "size", "data")
"""Keys by which a person chooses among what plugins have, defaults included."""

REPLACING = ("architecture", "loss")
"""Those of them that take the place of what a model names itself."""

MOST_STEPS = 2**63 - 1
"""Most steps of a run: TOML has no larger whole numbers."""

LARGEST_BY_DEFAULT = 64
"""Largest default size in pixels, for data whose own size the architecture cannot make."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The specs and the configuration of a run, resolved.

    Args:
        config: every value is filled in, except those that depend on the data or the hardware.
        architecture: a plugin's, or one that is put together of two.
        networks: network -> the plugin's architecture that it is taken from, and that one's options dataclass.
        loss_options: the loss's options dataclass, or None.
        optimizers: network -> its optimizer and the optimizer's options dataclass.
        penalties: penalties with the configuration's weights and intervals; without those of weight 0.
        augmentation: the augmentation of real and generated images, or None.
        augment_options: the augmentation's options dataclass, or None.
    """

    config: RunConfig
    model: Model
    architecture: Architecture
    loss: Loss
    networks: Mapping[str, tuple[Architecture, Any]]
    penalties: tuple[Penalty, ...]
    loss_options: Any
    optimizers: Mapping[str, tuple[Optimizer, Any]]
    augmentation: Augmentation | None = None
    augment_options: Any = None

    @property
    def specs(self) -> tuple[Spec, ...]:
        """All specs that the run needs of plugins, except the data set."""
        augmentations = (self.augmentation,) if self.augmentation else ()
        optimizers = (optimizer for optimizer, _ in self.optimizers.values())
        architectures = {id(spec): spec for spec, _ in self.networks.values()}.values()
        return (self.model, *architectures, self.loss, *self.penalties, *augmentations, *optimizers)


def resolve(zoo: Zoo, model_name: str, *settings: Settings, native: Native | None = None) -> Recipe:
    """Lay core defaults < the loss's < the model's < its preset's < each of ``settings`` over one another.

    Args:
        zoo: resolves names.
        model_name: what ``--model`` says.
        settings: nested tables, the last one on top.
        native: gives the data's own size if no size is set; it also decides whether a model's defaults for small
            images count. None: the size stays 0, as if the data were unknown.

    Raises:
        NotFoundError: nothing has one of the names.
        UsageError: an unknown key, or a value that its key does not take.
        PluginError: a plugin's own defaults have an unknown key, or such a value.
    """
    sizes: list[tuple[int, int]] = []

    def noted(data: str) -> tuple[int, int]:
        sizes.append(native(data))  # type: ignore[misc]
        return sizes[-1]

    try:
        return _resolve(zoo, model_name, *settings, native=native and noted)
    except UsageError as error:
        # Data that were not looked at yet are left alone: that would take long, and may fail by itself.
        again = partial(_resolve, zoo, model_name, native=(lambda _: sizes[-1]) if sizes else None)
        chosen = {key: value for layer in settings for key, value in layer.items() if key in CHOICES}
        if who := _at_fault(str(error), again, model_name, chosen):
            raise PluginError(f"{who} is made wrongly: {error}", hint=error.hint) from error
        raise


def _at_fault(problem: str, resolve: Callable[..., Recipe], model: str, chosen: Settings) -> str:
    """Whose own configuration has the problem, in words; empty: nobody's.

    It is there without a word of the person's but what was chosen, and without the defaults of plugins it is not. Nor
    is it because the person replaced what those defaults were written for.
    """

    def has_it(choices: Settings, *silent: str) -> bool:
        try:
            resolve(choices, silent=silent)
        except UsageError as error:
            return str(error) == problem
        except GanzooError:
            pass
        return False

    if has_it({}):
        return f"model {model!r}"
    if not has_it(chosen) or has_it(chosen, *LAYERS):
        return ""
    layer = next((each for each in ("loss", "preset") if chosen.get(each) and not has_it(chosen, each)), "model")
    if not has_it({key: value for key, value in chosen.items() if key == layer or key not in REPLACING}):
        return ""
    names = {"loss": f"loss {chosen.get('loss')!r}", "preset": f"preset {chosen.get('preset')!r} of model {model!r}"}
    return names.get(layer, f"model {model!r}")


def _resolve(
    zoo: Zoo, model_name: str, *settings: Settings, native: Native | None = None, silent: Container[str] = ()
) -> Recipe:
    model = zoo.get(Model, model_name)
    given = layered(*settings)
    check_keys(given, RunConfig)
    home = zoo.owner(model).distribution
    architecture = _spec(zoo, Architecture, given.get("architecture"), model.architecture, home)
    loss = _spec(zoo, Loss, given.get("loss"), model.loss, home)
    foreign = _of_others(zoo, model, architecture, loss, given, home)
    preset = preset_of(model, given.get("preset", ""))
    of_loss, of_model, of_preset = (
        {} if layer in silent else defaults
        for layer, defaults in (
            ("loss", _checked(loss, loss.defaults)),
            ("model", _without(_checked(model, model.defaults), foreign)),
            ("preset", _without(_checked(model, preset.defaults), foreign)),
        )
    )
    told = layered(of_loss, of_model, of_preset, given)
    if isinstance(best := told.get("best"), str):  # before the data are looked at
        check_best(best, zoo.figures())
    size = told.get("size") or 0
    if not size and native:
        joined = parts(zoo, architecture, told, given, home).architecture
        size = fitting_size(joined, *native(as_name(told.get("data", RunConfig.data), "data", "--data PATH")))
    of_size = _without(_checked(model, {} if "model" in silent else _small_image_defaults(model, size)), foreign)
    layers = (of_loss, layered(of_model, of_size, of_preset), given)
    values = layered(*layers, {"size": size, "name": told.get("name") or model.name})
    augmentation, of_augmentation = augmented(zoo, (of_loss, of_model, of_size, of_preset), given, home)
    for spec in (model, architecture, loss, *filter(None, [augmentation])):
        values["augment" if spec is augmentation else spec.kind] = _pinned(zoo, spec)
    own = {_pinned(zoo, penalty): penalty for penalty in loss.penalties}
    values["penalties"] = penalty_tables(zoo, own, [layer.get("penalties", {}) for layer in layers], home)
    networks = parts(zoo, architecture, values, given, home)
    values |= networks.tables
    loss_options, values["loss_options"] = options_of(loss, values.get("loss_options", {}), "loss_options")
    augment_options, values["augment_options"] = options_of(augmentation, of_augmentation, "augment_options")
    whose = (f"loss {loss.name!r}", f"model {model.name!r}", "")
    chosen, tables = optimizers(zoo, dict(zip(whose, layers, strict=True)), home)
    config: RunConfig = _counted_in_steps(convert(values | tables, RunConfig))
    if not loss.adversarial and (config.penalties or config.critic_steps > 1):
        what = f"the penalty {next(iter(config.penalties))!r}" if config.penalties else "critic_steps"
        raise UsageError(f"{what} is of a discriminator, and loss {loss.name!r} has none", hint="leave it out")
    if config.fake_labels == FakeLabels.UNIFORM and not networks.architecture.conditional:
        if "fake_labels" in given:
            raise UsageError(
                f"fake_labels: architecture {networks.architecture.name!r} takes no labels", hint="leave it out"
            )
        config = replace(config, fake_labels=FakeLabels.REAL)
    if config.patience and not config.eval_every:
        raise UsageError("patience counts evaluations, and there are none", hint="--eval-every 500, say")
    config = replace(config, observers=list(map(zoo.observer, config.observers)))
    check_new_name(config.name)
    if config.size:
        check_size(networks.architecture, config.size, config.size)
        _check_preset(model, config)
    return Recipe(
        config=config,
        model=model,
        architecture=networks.architecture,
        networks=networks.of,
        loss=loss,
        penalties=weighed(zoo, own, config),
        loss_options=loss_options,
        optimizers=chosen,
        augmentation=augmentation,
        augment_options=augment_options,
    )


def _counted_in_steps(config: RunConfig) -> RunConfig:
    """The configuration with ``kimg``, if it was given, turned into the steps that show at least so many images."""
    if not config.kimg:
        return config
    steps = config.kimg * 1000 / (config.batch * config.critic_steps)
    if steps > MOST_STEPS:
        raise UsageError(f"kimg: {config.kimg:g} is more than any run takes", hint="a number such as 1000")
    return replace(config, kimg=0.0, steps=math.ceil(steps))


def check_size(architecture: Architecture, height: int, width: int) -> None:
    """Refuse a size that the architecture does not make.

    Raises:
        UsageError: it does not; the hint names the sizes that it makes.
    """
    if height != width or height not in architecture.resolutions:
        sizes = ", ".join(map(str, architecture.resolutions))
        raise UsageError(
            f"architecture {architecture.name!r} makes no {height}x{width} images",
            hint=f"choose --size from: {sizes}",
        )


def fitting_size(architecture: Architecture, height: int, width: int) -> int:
    """The size to train at when none is asked for: the data's own if it can be built, else the nearest by ratio."""
    wanted = min(height, width)
    if height == width and wanted in architecture.resolutions:
        return wanted
    offered = sorted(size for size in architecture.resolutions if size <= LARGEST_BY_DEFAULT)
    return min(offered or [min(architecture.resolutions)], key=lambda size: max(size / wanted, wanted / size))


def preset_of(model: Model, name: Any) -> Preset:
    """The model's preset of that name; one that changes nothing if ``name`` is empty.

    Raises:
        UsageError: the model has none of that name; the hint names those that it has.
    """
    if name == "":
        return Preset()
    if not isinstance(name, str) or name not in model.presets:
        hint = did_you_mean(str(name), model.presets) if model.presets else "leave it out"
        raise UsageError(f"model {model.name!r} has no preset {name!r}", hint=hint)
    return model.presets[name]


def _check_preset(model: Model, config: RunConfig) -> None:
    """Refuse a preset that is meant for other sizes.

    Raises:
        UsageError: it is; the hint names the sizes that it is meant for.
    """
    meant = preset_of(model, config.preset).resolutions
    if meant and config.size not in meant:
        raise UsageError(
            f"preset {config.preset!r} of model {model.name!r} is not meant for {config.size} pixels",
            hint=f"--size: one of {', '.join(map(str, meant))}; or leave the preset out",
        )


def _small_image_defaults(model: Model, size: Any) -> Settings:
    """What the model prescribes for images of ``size`` pixels beside its defaults; nothing if ``size`` is unknown."""
    fitting = [limit for limit in model.defaults_up_to if isinstance(size, int) and 0 < size <= limit]
    return model.defaults_up_to[min(fitting)] if fitting else {}


def _spec(zoo: Zoo, kind: type[SpecT], asked: Any, default: str, home: str) -> SpecT:
    if asked is None:
        return zoo.get(kind, default, home=home)
    return zoo.get(kind, as_name(asked, kind.kind, LISTED))


def _pinned(zoo: Zoo, spec: Spec) -> str:
    """A name that means this spec whatever is installed later."""
    return spec.name if zoo.owner(spec).builtin else zoo.qualified(spec)


def _checked(spec: Model | Loss, defaults: Settings) -> Settings:
    """A spec's own configuration, checked: a misspelt key, or two lengths, are the plugin's fault, not the person's."""
    try:
        check_keys(layered(defaults), RunConfig)
        for key in defaults:
            if key in OF_NO_DEFAULTS or (key in OF_NO_LOSS and isinstance(spec, Loss)):
                raise UsageError(f"its defaults cannot decide {key!r}", hint="leave it to the person who trains")
    except UsageError as error:
        raise PluginError(f"{spec.kind} {spec.name!r} is made wrongly: {error}", hint=error.hint) from error
    return defaults


def _of_others(
    zoo: Zoo, model: Model, architecture: Architecture, loss: Loss, given: Settings, home: str
) -> frozenset[str]:
    """Keys of the model's defaults that belong to an architecture or a loss that was replaced."""
    foreign: set[str] = set()
    if architecture is not _spec(zoo, Architecture, None, model.architecture, home):
        foreign |= {"options", *(f"{network}_{what}" for network in NETWORKS for what in ("of", "options"))}
    foreign |= {f"{network}_options" for network in NETWORKS if f"{network}_of" in given}
    if loss is not _spec(zoo, Loss, None, model.loss, home):
        foreign |= {"penalties", "loss_options", *([] if loss.adversarial else ["critic_steps"])}
    return frozenset(foreign)


def _without(settings: Settings, keys: Container[str]) -> Settings:
    return {key: value for key, value in settings.items() if key not in keys}
