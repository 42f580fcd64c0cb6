"""Options of what a recipe is made of: a spec's own defaults, and what the configuration lays over them."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, replace
from typing import Any

from ganzoo.config import (
    NETWORKS,
    NetworkConfig,
    PenaltyConfig,
    RunConfig,
    Settings,
    check_keys,
    convert_varying,
    merge,
)
from ganzoo.config.tables import convert
from ganzoo.errors import PluginError, UsageError, did_you_mean
from ganzoo.specs import Architecture, Augmentation, Loss, Optimizer, Penalty
from ganzoo.zoo.forms import holds_none, is_writable
from ganzoo.zoo.names import Zoo

OF_PENALTIES = {field.name for field in fields(Penalty)}

OF_NETWORKS = {field.name for field in fields(NetworkConfig)} - {"options"}


def fixed_options(spec: Architecture, given: Any, key: str) -> tuple[Any, dict[str, Any]]:
    """An architecture's options, and each as the configuration holds it: networks are built once."""
    table = _table(given, key)
    options = convert(table, spec.options, f"{key}.")
    return options, _filled_in(options, spec.options, key)


def options_of(spec: Loss | Augmentation | None, given: Any, key: str) -> tuple[Any, dict[str, Any]]:
    """The options of a loss or an augmentation, of which floats may be schedules; and as the configuration holds them.

    Raises:
        UsageError: there are values, and nothing that takes them.
    """
    table = _table(given, key)
    if spec is None or spec.options is None:
        if table and spec is None:
            raise UsageError("augment_options without an augmentation", hint="--set augment=diffaugment")
        if table:
            name = next(iter(table))
            raise UsageError(f"unknown configuration key '{key}.{name}'", hint=f"{spec.kind} {spec.name!r} has none")  # type: ignore[union-attr]
        return None, {}
    options = convert_varying(table, spec.options, f"{key}.")
    return options, _filled_in(options, spec.options, key)


def augmented(
    zoo: Zoo, defaults: Sequence[Settings], given: Settings, home: str
) -> tuple[Augmentation | None, Settings]:
    """The augmentation, if there is one, and what was set of its options.

    Where a layer names another augmentation, options of the one before do not count.

    Args:
        defaults: the loss's and the model's, the last one on top.
        given: a person's, over all of them.
        home: the distribution whose defaults may name an augmentation of its own.

    Raises:
        UsageError: what should be a name, or a table, is something else.
    """
    spec, table = None, dict[str, Any]()
    for layer in (*defaults, given):
        if "augment" in layer:
            other = _augmentation(zoo, layer["augment"], "" if layer is given else home)
            spec, table = other, table if other is spec else {}
        table = merge(table, _table(layer.get("augment_options", {}), "augment_options"))
    return spec, table


def _augmentation(zoo: Zoo, given: Any, home: str) -> Augmentation | None:
    name = as_name(given, "augment", "--set augment=diffaugment")
    return zoo.get(Augmentation, name, home=home or None) if name else None


def as_name(given: Any, key: str, hint: str) -> str:
    """A value that must be a name.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(given, str):
        raise UsageError(f"configuration key {key!r}: expected a name, got {given!r:.60}", hint=hint)
    return given


def _table(given: Any, key: str) -> Settings:
    if not isinstance(given, Mapping):
        raise UsageError(f"configuration key {key!r}: expected a table", hint=f"--set {key}.KEY=VALUE")
    return given


def _filled_in(options: Any, kind: type[Any], key: str) -> dict[str, Any]:
    """Every option by name, without those that are None, which TOML lacks."""
    filled_in = {field.name: getattr(options, field.name) for field in fields(options)}
    for name, value in filled_in.items():
        if (value is None and getattr(kind(), name) is not None) or holds_none(value):
            what = "be" if value is None else "hold"
            raise UsageError(f"configuration key '{key}.{name}' cannot {what} None", hint="TOML has no such value")
    return {name: value for name, value in filled_in.items() if value is not None}


def optimizers(
    zoo: Zoo, layers: Mapping[str, Settings], home: str
) -> tuple[dict[str, tuple[Optimizer, Any]], dict[str, Any]]:
    """Each network's optimizer with its options, and the network's table of the configuration.

    Where a layer names another optimizer, options of the one before do not count.

    Args:
        layers: whose defaults they are (``model 'dcgan'``; empty: a person's) -> settings, the last one on top.
        home: the distribution whose defaults may name an optimizer of its own.

    Raises:
        UsageError, PluginError: an option that the optimizer does not have, or a value that it does not take.
    """
    found, tables = {}, {}
    for network in NETWORKS:
        spec, table = zoo.get(Optimizer, RunConfig.generator.optimizer), dict[str, Any]()
        for who, layer in layers.items():
            chosen = _table(layer.get(network, {}), network)
            if "optimizer" in chosen:
                name = as_name(chosen["optimizer"], f"{network}.optimizer", f"--set {network}.optimizer=adam")
                other = zoo.get(Optimizer, name, home=home)
                if other is not spec:
                    spec, table = other, {key: value for key, value in table.items() if key in OF_NETWORKS}
            _check_options(spec, chosen, network, who)
            table = merge(table, chosen)
        given = {key: value for key, value in table.items() if key not in OF_NETWORKS}
        options = convert_varying(given, spec.options, f"{network}.")
        found[network] = (spec, options)
        tables[network] = {
            **{key: value for key, value in table.items() if key in OF_NETWORKS},
            **_filled_in(options, spec.options, network),
            "optimizer": spec.name if zoo.owner(spec).builtin else zoo.qualified(spec),
        }
    return found, tables


def _check_options(spec: Optimizer, chosen: Settings, network: str, who: str) -> None:
    known = OF_NETWORKS | {field.name for field in fields(spec.options)}
    for key in chosen:
        if key not in known:
            of = "" if spec.name == RunConfig.generator.optimizer else f"; optimizer {spec.name!r} has no such option"
            problem = f"unknown configuration key {f'{network}.{key}'!r}{of}"
            hint = did_you_mean(key, known, f"{network}.")
            raise PluginError(f"{who} is made wrongly: {problem}", hint=hint) if who else UsageError(problem, hint=hint)


def penalty_tables(zoo: Zoo, own: Mapping[str, Penalty], layers: Sequence[Any], home: str) -> dict[str, Any]:
    """The loss's own penalties with each layer over them; what a layer leaves out comes from below, or the spec."""
    complete = {name: penalty_table(penalty) for name, penalty in own.items()}
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
            pinned = spec.name if zoo.owner(spec).builtin else zoo.qualified(spec)
            complete[pinned] = merge(complete.get(pinned, penalty_table(spec)), chosen)
    return complete


def penalty_table(penalty: Penalty) -> dict[str, Any]:
    """A penalty's weight, interval and options, as the configuration has them: without those that are None."""
    options = {name: value for name, value in _extra(penalty).items() if value is not None}
    return {"weight": penalty.weight, "every": penalty.every, "options": options}


def _extra(penalty: Penalty) -> dict[str, Any]:
    """The options of a penalty: its further fields, but those that a configuration cannot hold."""
    further = {field.name: getattr(penalty, field.name) for field in fields(penalty) if field.name not in OF_PENALTIES}
    return {name: value for name, value in further.items() if is_writable(value)}


def weighed(zoo: Zoo, own: Mapping[str, Penalty], config: RunConfig) -> tuple[Penalty, ...]:
    """The penalties with the configuration's weights, intervals and options; without those of weight 0."""
    return tuple(
        _weighed(own.get(name) or zoo.get(Penalty, name), chosen, name)
        for name, chosen in config.penalties.items()
        if chosen.weight
    )


def _weighed(penalty: Penalty, chosen: PenaltyConfig, name: str) -> Penalty:
    extra, key = _extra(penalty), f"penalties.{name}.options."
    for option in chosen.options:
        if option not in extra:
            hint = did_you_mean(option, extra, key) if extra else f"penalty {penalty.name!r} has none"
            raise UsageError(f"unknown configuration key {key + option!r}", hint=hint)
    made = replace(penalty, weight=chosen.weight, every=chosen.every)  # type: ignore[arg-type]  # a schedule, too
    changed = {option: value for option, value in chosen.options.items() if value != extra[option]}
    if changed:
        required = {field.name for field in fields(penalty) if field.default is field.default_factory is MISSING}
        given = {name: getattr(penalty, name) for name in required} | changed
        converted = convert_varying(given, type(penalty), key)
        for option in changed:  # past the checks of the penalty's own class, which ``converted`` has passed
            object.__setattr__(made, option, getattr(converted, option))
    return made
