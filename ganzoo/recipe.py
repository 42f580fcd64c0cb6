"""From names and settings to the specs and the configuration that a run is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from ganzoo.config import RunConfig, Settings, convert, merge
from ganzoo.errors import UsageError, did_you_mean
from ganzoo.specs import Architecture, ImageShape, Loss, Model, Penalty, Spec
from ganzoo.zoo import Zoo

SpecT = TypeVar("SpecT", bound=Spec)

LARGEST_BY_DEFAULT = 64
"""Data larger than this many pixels are shrunk to it unless ``size`` says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a run is made of, resolved.

    Args:
        config: with every value filled in, except those that wait for the data and the hardware.
        options: the architecture's options dataclass.
        penalties: with the configuration's weights and intervals; none of weight 0.
    """

    config: RunConfig
    model: Model
    architecture: Architecture
    loss: Loss
    penalties: tuple[Penalty, ...]
    options: Any

    @property
    def specs(self) -> tuple[Spec, ...]:
        """All that it needs of plugins, except the data set."""
        return (self.model, self.architecture, self.loss, *self.penalties)


def resolve(zoo: Zoo, model_name: str, *settings: Settings) -> Recipe:
    """Lay core defaults < the loss's < the model's < each of ``settings`` over one another.

    Raises:
        NotFoundError: a name that nothing has.
        UsageError: an unknown key, or a value that its key does not take.
    """
    model = zoo.get(Model, model_name)
    given = merge({}, *settings)
    _check_keys(given, [field.name for field in fields(RunConfig)])
    home = zoo.owner(model).distribution
    architecture = _spec(zoo, Architecture, given.get("architecture"), model.architecture, home)
    loss = _spec(zoo, Loss, given.get("loss"), model.loss, home)
    names = {
        "model": _pinned(zoo, model),
        "architecture": _pinned(zoo, architecture),
        "loss": _pinned(zoo, loss),
        "name": given.get("name") or model.name,
    }
    own = {"penalties": {_pinned(zoo, p): {"weight": p.weight, "every": p.every} for p in loss.penalties}}
    values = merge({}, own, loss.defaults, model.defaults, given, names)
    values["penalties"] = _complete_penalties(zoo, values["penalties"], home)
    options = _options(architecture, values.get("options", {}))
    values["options"] = {field.name: getattr(options, field.name) for field in fields(options)}
    values["options"] = {key: value for key, value in values["options"].items() if value is not None}
    config: RunConfig = convert(values, RunConfig)
    penalties = tuple(
        replace(zoo.get(Penalty, name), weight=chosen.weight, every=chosen.every)
        for name, chosen in config.penalties.items()
        if chosen.weight
    )
    return Recipe(
        config=config, model=model, architecture=architecture, loss=loss, penalties=penalties, options=options
    )


def fitting_size(architecture: Architecture, native: ImageShape) -> int:
    """The size to train at when none is asked for: the data's own if it can be built, else the next below it."""
    wanted = min(native.height, native.width)
    if native.height == native.width and wanted in architecture.resolutions:
        return wanted
    fitting = [size for size in architecture.resolutions if size <= min(wanted, LARGEST_BY_DEFAULT)]
    return max(fitting, default=min(architecture.resolutions))


def _spec(zoo: Zoo, kind: type[SpecT], asked: Any, default: str, home: str) -> SpecT:
    if asked is None:
        return zoo.get(kind, default, home=home)
    if not isinstance(asked, str):
        raise UsageError(f"configuration key {kind.kind!r}: expected a name, got {asked!r}")
    return zoo.get(kind, asked)


def _pinned(zoo: Zoo, spec: Spec) -> str:
    """A name that means this spec whatever is installed later."""
    return spec.name if zoo.owner(spec).builtin else zoo.qualified(spec)


def _check_keys(given: Settings, known: list[str], prefix: str = "") -> None:
    for key in given:
        if key not in known:
            raise UsageError(f"unknown configuration key {prefix + key!r}", hint=did_you_mean(key, known))


def _complete_penalties(zoo: Zoo, penalties: Any, home: str) -> dict[str, Any]:
    """Fill in what a configured penalty leaves out with its spec's values."""
    if not isinstance(penalties, Mapping):
        raise UsageError("configuration key 'penalties': expected a table", hint="--set penalties.r1.weight=1")
    complete = {}
    for name, chosen in penalties.items():
        spec = zoo.get(Penalty, name, home=home)
        if not isinstance(chosen, Mapping):
            raise UsageError(
                f"configuration key 'penalties.{name}': expected a table",
                hint=f"--set penalties.{name}.weight=1",
            )
        _check_keys(chosen, ["weight", "every"], f"penalties.{name}.")
        complete[_pinned(zoo, spec)] = {"weight": spec.weight, "every": spec.every, **chosen}
    return complete


def _options(architecture: Architecture, given: Any) -> Any:
    if not isinstance(given, Mapping):
        raise UsageError("configuration key 'options': expected a table", hint="--set options.width=64")
    known = [field.name for field in fields(architecture.options)]
    _check_keys(given, known, "options.")
    return convert(given, architecture.options, "options.")
