"""From names and settings to the specs and the configuration of a run."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from ganzoo.config import PenaltyConfig, RunConfig, Settings, check_keys, convert, layered, merge
from ganzoo.errors import PluginError, UsageError
from ganzoo.records.best import check_best
from ganzoo.specs import Architecture, Augmentation, Loss, Model, Penalty, Spec
from ganzoo.zoo.names import Zoo
from ganzoo_registry.refs import check_new_name

SpecT = TypeVar("SpecT", bound=Spec)

Native = Callable[[str], tuple[int, int]]
"""The value of ``data`` -> height and width of the images that it names."""

LARGEST_BY_DEFAULT = 64
"""Largest default size in pixels, for data whose own size the architecture cannot make."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The specs and the configuration of a run, resolved.

    Args:
        config: every value is filled in, except those that depend on the data or the hardware.
        options: the architecture's options dataclass.
        penalties: penalties with the configuration's weights and intervals; without those of weight 0.
        augmentation: the augmentation of real and generated images, or None.
        augment_options: the augmentation's options dataclass, or None.
    """

    config: RunConfig
    model: Model
    architecture: Architecture
    loss: Loss
    penalties: tuple[Penalty, ...]
    options: Any
    augmentation: Augmentation | None = None
    augment_options: Any = None

    @property
    def specs(self) -> tuple[Spec, ...]:
        """All specs that the run needs of plugins, except the data set."""
        augmentations = (self.augmentation,) if self.augmentation else ()
        return (self.model, self.architecture, self.loss, *self.penalties, *augmentations)


def resolve(zoo: Zoo, model_name: str, *settings: Settings, native: Native | None = None) -> Recipe:
    """Lay core defaults < the loss's < the model's < each of ``settings`` over one another.

    Args:
        zoo: resolves names.
        model_name: what ``--model`` says.
        settings: nested tables, the last one on top.
        native: gives the data's own size if no size is set; it also decides whether a model's defaults for small
            images count. None: the size stays 0, as if the data were unknown.

    Raises:
        NotFoundError: nothing has one of the names.
        UsageError: an unknown key, or a value that its key does not take.
        PluginError: a plugin's own defaults have an unknown key.
    """
    model = zoo.get(Model, model_name)
    given = layered(*settings)
    check_keys(given, RunConfig)
    home = zoo.owner(model).distribution
    architecture = _spec(zoo, Architecture, given.get("architecture"), model.architecture, home)
    loss = _spec(zoo, Loss, given.get("loss"), model.loss, home)
    augmentation = _augmentation(zoo, given)
    told = merge(loss.defaults, model.defaults, given)
    if isinstance(best := told.get("best"), str):  # before the data are looked at
        check_best(best, zoo.figures())
    size = given.get("size") or 0
    if not size and native:
        size = fitting_size(architecture, *native(told.get("data", RunConfig.data)))
    published = layered(_checked(model, model.defaults), _checked(model, _small_image_defaults(model, size)))
    if architecture is not _spec(zoo, Architecture, None, model.architecture, home):
        published.pop("options", None)  # they belong to the architecture that was replaced
    if loss is not _spec(zoo, Loss, None, model.loss, home):
        published.pop("penalties", None)
    layers = (_checked(loss, loss.defaults), published, given)
    values = layered(*layers, {"size": size, "name": given.get("name") or model.name})
    for spec in (model, architecture, loss, *filter(None, [augmentation])):
        values["augment" if spec is augmentation else spec.kind] = _pinned(zoo, spec)
    own = {_pinned(zoo, penalty): penalty for penalty in loss.penalties}
    values["penalties"] = _penalties(zoo, own, [layer.get("penalties", {}) for layer in layers], home)
    options, values["options"] = _options(architecture, values, "options")
    augment_options, values["augment_options"] = _options(augmentation, values, "augment_options")
    config: RunConfig = _counted_in_steps(convert(values, RunConfig))
    if config.patience and not config.eval_every:
        raise UsageError("patience counts evaluations, and there are none", hint="--eval-every 500, say")
    config = replace(config, observers=list(map(zoo.observer, config.observers)))
    check_new_name(config.name)
    if config.size:
        check_size(architecture, config.size, config.size)
    return Recipe(
        config=config,
        model=model,
        architecture=architecture,
        loss=loss,
        penalties=_weighed(zoo, own, config),
        options=options,
        augmentation=augmentation,
        augment_options=augment_options,
    )


def _counted_in_steps(config: RunConfig) -> RunConfig:
    """The configuration with ``kimg``, if it was given, turned into the steps that show at least so many images."""
    if not config.kimg:
        return config
    return replace(config, kimg=0.0, steps=math.ceil(config.kimg * 1000 / (config.batch * config.critic_steps)))


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


def _small_image_defaults(model: Model, size: Any) -> Settings:
    """What the model prescribes for images of ``size`` pixels beside its defaults; nothing if ``size`` is unknown."""
    fitting = [limit for limit in model.defaults_up_to if isinstance(size, int) and 0 < size <= limit]
    return model.defaults_up_to[min(fitting)] if fitting else {}


def _spec(zoo: Zoo, kind: type[SpecT], asked: Any, default: str, home: str, key: str = "") -> SpecT:
    if asked is None:
        return zoo.get(kind, default, home=home)
    if not isinstance(asked, str):
        hint = "ganzoo train --print-config"
        raise UsageError(f"configuration key {key or kind.kind!r}: expected a name, got {asked!r}", hint=hint)
    return zoo.get(kind, asked)


def _pinned(zoo: Zoo, spec: Spec) -> str:
    """A name that means this spec whatever is installed later."""
    return spec.name if zoo.owner(spec).builtin else zoo.qualified(spec)


def _checked(spec: Spec, defaults: Settings) -> Settings:
    """A spec's own configuration, checked: a misspelt key, or two lengths, are the plugin's fault, not the person's."""
    try:
        check_keys(layered(defaults), RunConfig)
    except UsageError as error:
        raise PluginError(f"{spec.kind} {spec.name!r} is made wrongly: {error}", hint=error.hint) from error
    return defaults


def _penalties(zoo: Zoo, own: Mapping[str, Penalty], layers: Sequence[Any], home: str) -> dict[str, Any]:
    """The loss's own penalties with each layer over them; what a layer leaves out comes from below, or the spec."""
    complete = {name: {"weight": penalty.weight, "every": penalty.every} for name, penalty in own.items()}
    for penalties in layers:
        if not isinstance(penalties, Mapping):
            raise UsageError("configuration key 'penalties': expected a table", hint="--set penalties.r1.weight=1")
        for name, chosen in penalties.items():
            if not isinstance(chosen, Mapping):
                raise UsageError(
                    f"configuration key 'penalties.{name}': expected a table",
                    hint=f"--set penalties.{name}.weight=1",
                )
            check_keys(chosen, PenaltyConfig, f"penalties.{name}.")
            spec = zoo.get(Penalty, name, home=home)
            below = complete.get(_pinned(zoo, spec), {"weight": spec.weight, "every": spec.every})
            complete[_pinned(zoo, spec)] = {**below, **chosen}
    return complete


def _augmentation(zoo: Zoo, given: Settings) -> Augmentation | None:
    asked = given.get("augment", "")
    if asked != "":
        return _spec(zoo, Augmentation, asked, "", "", key="augment")
    if given.get("augment_options"):
        raise UsageError("augment_options without an augmentation", hint="--set augment=diffaugment")
    return None


def _weighed(zoo: Zoo, own: Mapping[str, Penalty], config: RunConfig) -> tuple[Penalty, ...]:
    return tuple(
        replace(own.get(name) or zoo.get(Penalty, name), weight=chosen.weight, every=chosen.every)
        for name, chosen in config.penalties.items()
        if chosen.weight
    )


def _options(spec: Architecture | Augmentation | None, values: Settings, key: str) -> tuple[Any, dict[str, Any]]:
    """A spec's options, and each as the configuration holds it; without those that are None, which TOML lacks."""
    given = values.get(key, {})
    if spec is None:
        return None, {}
    if not isinstance(given, Mapping):
        raise UsageError(f"configuration key {key!r}: expected a table", hint=f"--set {key}.KEY=VALUE")
    options = convert(given, spec.options, f"{key}.")
    filled_in = {field.name: getattr(options, field.name) for field in fields(options)}
    for name, value in filled_in.items():
        if value is None and getattr(spec.options(), name) is not None:
            raise UsageError(f"configuration key '{key}.{name}' cannot be None", hint="TOML has no such value")
    return options, {name: value for name, value in filled_in.items() if value is not None}
