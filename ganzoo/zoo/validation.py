"""Checks the form of a plugin's specs. Each message shows the wanted form, for the plugin's author."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from ganzoo.controls import MOST_CONTROLS, Control, fault_of_control
from ganzoo.errors import PluginError, first_line
from ganzoo.specs import (
    KINDS,
    Architecture,
    Augmentation,
    Dataset,
    Extractor,
    Loss,
    Metric,
    Model,
    Optimizer,
    Penalty,
    Reader,
    Spec,
)
from ganzoo.zoo.forms import (
    LONGEST_SUMMARY,
    NAME,
    are_channels,
    are_figures,
    are_patterns,
    are_presets,
    are_sizes,
    fault_of_options,
    is_by_size,
    is_configuration,
    is_digest,
    is_file,
    is_line,
    is_positive,
    is_range,
    is_reference,
    is_state,
    is_target,
)
from ganzoo.zoo.installed import LONGEST_NAME

MOST_SPECS = 1000
"""Most specs of one plugin; more come from a generator that does not end."""

LATEST_YEAR = 9999

OF_EVERY_NETWORK = frozenset({"lr", "optimizer", "regularise", "options"})
"""The fields of ``NetworkConfig``, beside which an optimizer's options stand. Spelt here, too, because each command
validates plugins, and the configuration takes as long to import as all of them."""


def validate(specs: Iterable[object]) -> tuple[Spec, ...]:
    """The specs of one plugin, checked.

    Raises:
        PluginError: one of them is not a spec, is malformed, or repeats a name of its kind.
    """
    checked: dict[tuple[str, str], Spec] = {}
    for number, spec in enumerate(specs, 1):
        if number > MOST_SPECS:
            raise PluginError(f"ganzoo_specs yielded more than {MOST_SPECS:,} specs; does it end?")
        kind = next((kind for kind in KINDS if isinstance(spec, kind)), None)
        if kind is None or not isinstance(spec, Spec):
            wanted = ", ".join(kind.__name__ for kind in KINDS)
            raise PluginError(f"ganzoo_specs yielded {spec!r:.60}; wanted: one of {wanted}")
        _check(spec, kind)
        if (key := (kind.kind, spec.name)) in checked:
            raise PluginError(f"{kind.kind} {spec.name!r} is provided twice; wanted: unique names per kind")
        checked[key] = spec
    return tuple(checked.values())


def _check(spec: Spec, kind: type[Spec]) -> None:
    """What is required of every spec, and of those of its kind; a penalty may stand in a loss alone."""
    if type(spec.name) is not str or not NAME.fullmatch(spec.name):
        raise PluginError(
            f"{kind.kind} name {spec.name!r:.60} is malformed; wanted: lower-case letters, digits, inner '-'"
        )
    if len(spec.name) > LONGEST_NAME:
        raise PluginError(f"a {kind.kind} name has {len(spec.name):,} characters; wanted: at most {LONGEST_NAME}")
    if spec.kind != kind.kind:
        raise PluginError(f"{kind.kind} {spec.name!r}: kind={spec.kind!r:.60}; wanted: another name for that field")
    for field in ("summary", "paper", "reference", "code"):
        _require(spec, field, f"one line of text, at most {LONGEST_SUMMARY} characters", is_line)
    _require(spec, "year", "a year, or 0", lambda year: type(year) is int and 0 <= year <= LATEST_YEAR)
    _CHECKS[kind](spec)


def _require(spec: Spec, field: str, wanted: str, holds: Callable[[Any], bool]) -> None:
    value = getattr(spec, field)
    if not holds(value):
        raise PluginError(f"{spec.kind} {spec.name!r}: {field}={value!r:.60}; wanted: {wanted}")


def _state(spec: Loss | Augmentation) -> None:
    _require(spec, "state", "a mapping of identifiers to finite numbers, such as {'real': 0.0}", is_state)


def _flags(spec: Spec, *names: str) -> None:
    for name in names:
        _require(spec, name, "True or False", lambda value: isinstance(value, bool))


def _options(spec: Architecture | Augmentation | Loss | Optimizer) -> None:
    _require(spec, "options", "a dataclass type", lambda kind: isinstance(kind, type) and is_dataclass(kind))
    kind: Any = spec.options
    try:
        defaults = kind()
    except Exception as error:
        names = ", ".join(field.name for field in fields(kind))
        raise PluginError(
            f"{spec.kind} {spec.name!r}: {kind.__name__}() fails: {first_line(error)}; "
            f"wanted: a usable default for each of {names}"
        ) from error
    if fault := fault_of_options(defaults):
        raise PluginError(f"{spec.kind} {spec.name!r}: {kind.__name__}: {fault}; wanted: numbers, text, lists, tables")


def _architecture(spec: Architecture) -> None:
    for field in ("generator", "discriminator"):
        _require(spec, field, "'package.module:Class'", is_target)
    _options(spec)
    _require(
        spec,
        "resolutions",
        "a non-empty tuple of pixels, such as (32, 64)",
        lambda sizes: are_sizes(sizes) and bool(sizes),
    )
    _flags(spec, "conditional", "batch_coupled")
    _require(spec, "channels", "a non-empty tuple of 1 and 3", are_channels)
    _controls(spec)


def _controls(spec: Architecture) -> None:
    _require(
        spec,
        "controls",
        f"a mapping of at most {MOST_CONTROLS} names to numbers or Controls",
        lambda controls: isinstance(controls, Mapping) and len(controls) <= MOST_CONTROLS,
    )
    for name, given in spec.controls.items():
        number = type(given) in (int, float)
        if number and not 0 <= given <= 1:  # type: ignore[operator]
            raise PluginError(
                f"architecture {spec.name!r}: control {name!r} is {given:g}, outside of [0, 1]; "
                "wanted: Control(default=…, low=…, high=…)"
            )
        fault = fault_of_control(name, Control(default=given) if number else given)  # type: ignore[arg-type]
        if fault:
            raise PluginError(
                f"architecture {spec.name!r}: controls: {fault}; "
                "wanted: names with a number on [0, 1], or a Control(default=…, low=…, high=…)"
            )


def _penalty(spec: Penalty) -> None:
    for method in ("points", "value"):
        if getattr(type(spec), method) is getattr(Penalty, method):
            raise PluginError(
                f"penalty {spec.name!r}: {type(spec).__name__} lacks {method}(); "
                "wanted: a subclass of Penalty with points() and value()"
            )
    _require(
        spec,
        "weight",
        "a finite number >= 0",
        lambda weight: type(weight) in (int, float) and math.isfinite(weight) and weight >= 0,
    )
    _require(spec, "every", "a whole number of steps >= 1", is_positive)
    _flags(spec, "batch_coupled")


def _loss(spec: Loss) -> None:
    _require(spec, "target", "'package.module:Class'", is_target)
    _require(spec, "defaults", "a mapping with string keys", is_configuration)
    _require(
        spec,
        "penalties",
        "a tuple of Penalty",
        lambda penalties: isinstance(penalties, tuple) and all(isinstance(penalty, Penalty) for penalty in penalties),
    )
    for penalty in spec.penalties:
        _check(penalty, Penalty)
    names = [penalty.name for penalty in spec.penalties]
    if len(set(names)) < len(names):
        raise PluginError(f"loss {spec.name!r}: two of its penalties have one name: {', '.join(names)}")
    if spec.options is not None:
        _options(spec)
    _state(spec)
    _flags(spec, "batch_coupled", "adversarial")
    _require(
        spec,
        "reads",
        "a tuple of heads of the discriminator, such as ('class_logits',)",
        lambda heads: isinstance(heads, tuple) and all(isinstance(head, str) and head for head in heads),
    )


def _model(spec: Model) -> None:
    for field in ("architecture", "loss"):
        _require(spec, field, "'name' or 'distribution/name'", is_reference)
    _require(spec, "defaults", "a mapping with string keys", is_configuration)
    _require(spec, "defaults_up_to", "a mapping of sizes in pixels to mappings with string keys", is_by_size)
    _require(spec, "presets", "a mapping of names to Preset(defaults={…}, resolutions=(32, 64))", are_presets)
    _require(spec, "measured", "'package:file.json', or ''", lambda file: file == "" or is_file(file, suffix=".json"))


def _dataset(spec: Dataset) -> None:
    _require(spec, "target", "'package.module:attribute'", is_target)
    for field in ("held_out", "modes"):
        _require(spec, field, "'package.module:attribute', or ''", lambda target: target == "" or is_target(target))
    _require(spec, "extractor", "'name' or 'distribution/name', or ''", lambda name: name == "" or is_reference(name))


def _reader(spec: Reader) -> None:
    _require(spec, "target", "'package.module:function'", is_target)
    for field in ("files", "folders"):
        _require(spec, field, "a tuple of lower-case patterns, such as ('*.zip',)", are_patterns)
    _require(spec, "files", "a pattern in files or in folders", lambda files: bool(files or spec.folders))


def _extractor(spec: Extractor) -> None:
    if spec.builder:
        _require(spec, "builder", "'package.module:function'", is_target)
        _require(spec, "file", "'' beside a builder", lambda file: file == "")
    else:
        _require(spec, "file", "'package:file.onnx'", lambda file: is_file(file, suffix=".onnx"))
    if spec.from_images:
        _require(spec, "builder", "a builder, which is given the images", bool)
        _require(spec, "sha256", "'' where it is built of images", lambda digest: digest == "")
        _require(spec, "recipe", "a whole number from 1", lambda recipe: type(recipe) is int and recipe >= 1)
        return
    _require(spec, "sha256", "64 hexadecimal digits", is_digest)


def _metric(spec: Metric) -> None:
    _require(spec, "target", "'package.module:function'", is_target)
    _require(
        spec,
        "figures",
        f"a mapping of names to 'lower', 'higher' or ''; a name has 1 to {LONGEST_NAME} characters, and no comma",
        are_figures,
    )
    _require(
        spec,
        "bounds",
        "a mapping of names of figures to two numbers, the smaller one first",
        lambda bounds: (
            is_configuration(bounds) and bounds.keys() <= spec.figures.keys() and all(map(is_range, bounds.values()))
        ),
    )


def _augmentation(spec: Augmentation) -> None:
    _require(spec, "target", "'package.module:Class'", is_target)
    _options(spec)
    _state(spec)


def _optimizer(spec: Optimizer) -> None:
    _require(spec, "target", "'package.module:function'", is_target)
    _options(spec)
    taken = OF_EVERY_NETWORK & {each.name for each in fields(spec.options)}
    if taken:
        raise PluginError(
            f"optimizer {spec.name!r}: the option {min(taken)!r} is a key of every network's; wanted: another name"
        )


_CHECKS: Mapping[type[Spec], Callable[[Any], None]] = {
    Architecture: _architecture,
    Loss: _loss,
    Penalty: _penalty,
    Model: _model,
    Dataset: _dataset,
    Reader: _reader,
    Extractor: _extractor,
    Metric: _metric,
    Augmentation: _augmentation,
    Optimizer: _optimizer,
}
