"""Checks the form of a plugin's specs. Each message shows the wanted form, for the plugin's author."""

import math
import re
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
from ganzoo.zoo.installed import LONGEST_NAME

MOST_SPECS = 1000
"""Most specs of one plugin; more come from a generator that does not end."""

LONGEST_SUMMARY = 500
"""Most characters of a summary, which stands in a line."""

LATEST_YEAR = 9999

OF_EVERY_NETWORK = frozenset({"lr", "optimizer", "regularise", "options"})
"""The fields of ``NetworkConfig``, beside which an optimizer's options stand. Spelt here, too, because each command
validates plugins, and the configuration takes as long to import as all of them."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_REFERENCE = re.compile(rf"({_NAME.pattern}/)?{_NAME.pattern}")
_FILE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[\w-]+(\.[\w-]+)*\.onnx")
_HEX = re.compile(r"[0-9a-f]{64}")
_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


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
        if type(spec.name) is not str or not _NAME.fullmatch(spec.name):
            raise PluginError(
                f"{kind.kind} name {spec.name!r:.60} is malformed; wanted: lower-case letters, digits, inner '-'"
            )
        if len(spec.name) > LONGEST_NAME:
            raise PluginError(f"a {kind.kind} name has {len(spec.name):,} characters; wanted: at most {LONGEST_NAME}")
        for field in ("summary", "paper", "reference"):
            _require(spec, field, f"one line of text, at most {LONGEST_SUMMARY} characters", _is_summary)
        _require(spec, "year", "a year, or 0", lambda year: type(year) is int and 0 <= year <= LATEST_YEAR)
        _CHECKS[kind](spec)
        if (key := (kind.kind, spec.name)) in checked:
            raise PluginError(f"{kind.kind} {spec.name!r} is provided twice; wanted: unique names per kind")
        checked[key] = spec
    return tuple(checked.values())


def _require(spec: Spec, field: str, wanted: str, holds: Callable[[Any], bool]) -> None:
    value = getattr(spec, field)
    if not holds(value):
        raise PluginError(f"{spec.kind} {spec.name!r}: {field}={value!r:.60}; wanted: {wanted}")


def _is_target(value: object) -> bool:
    return isinstance(value, str) and _TARGET.fullmatch(value) is not None


def _is_summary(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_SUMMARY and len(value.splitlines()) <= 1


def _is_reference(value: object) -> bool:
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def _is_configuration(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _is_positive(value: object) -> bool:
    return type(value) is int and value >= 1


def _is_range(value: object) -> bool:
    numbers = isinstance(value, tuple) and len(value) == 2 and all(isinstance(end, int | float) for end in value)
    return numbers and value[0] < value[1]  # type: ignore[index]


def _is_state(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and name.isidentifier() and type(number) in (int, float) and math.isfinite(number)
        for name, number in value.items()
    )


def _state(spec: Loss | Augmentation) -> None:
    _require(spec, "state", "a mapping of identifiers to finite numbers, such as {'real': 0.0}", _is_state)


def _flags(spec: Spec, *names: str) -> None:
    for name in names:
        _require(spec, name, "True or False", lambda value: isinstance(value, bool))


def _options(spec: Architecture | Augmentation | Loss | Optimizer) -> None:
    _require(
        spec,
        "options",
        "a dataclass type",
        lambda options: isinstance(options, type) and is_dataclass(options),
    )
    kind: Any = spec.options
    try:
        kind()
    except Exception as error:
        names = ", ".join(field.name for field in fields(kind))
        raise PluginError(
            f"{spec.kind} {spec.name!r}: {kind.__name__}() fails: {first_line(error)}; "
            f"wanted: a usable default for each of {names}"
        ) from error


def _architecture(spec: Architecture) -> None:
    for field in ("generator", "discriminator"):
        _require(spec, field, "'package.module:Class'", _is_target)
    _options(spec)
    _require(
        spec,
        "resolutions",
        "a non-empty tuple of pixels, such as (32, 64)",
        lambda sizes: isinstance(sizes, tuple) and bool(sizes) and all(map(_is_positive, sizes)),
    )
    _flags(spec, "conditional", "batch_coupled")
    _require(
        spec,
        "channels",
        "a non-empty tuple of 1 and 3",
        lambda counts: isinstance(counts, tuple) and bool(counts) and set(counts) <= {1, 3},
    )
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
    _require(spec, "every", "a whole number of steps >= 1", _is_positive)
    _flags(spec, "batch_coupled")


def _loss(spec: Loss) -> None:
    _require(spec, "target", "'package.module:Class'", _is_target)
    _require(spec, "defaults", "a mapping with string keys", _is_configuration)
    _require(
        spec,
        "penalties",
        "a tuple of Penalty",
        lambda penalties: isinstance(penalties, tuple) and all(isinstance(penalty, Penalty) for penalty in penalties),
    )
    for penalty in spec.penalties:
        _penalty(penalty)
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


def _is_by_size(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(size, int) and size > 0 and _is_configuration(defaults) for size, defaults in value.items()
    )


def _model(spec: Model) -> None:
    for field in ("architecture", "loss"):
        _require(spec, field, "'name' or 'distribution/name'", _is_reference)
    _require(spec, "defaults", "a mapping with string keys", _is_configuration)
    _require(spec, "defaults_up_to", "a mapping of sizes in pixels to mappings with string keys", _is_by_size)


def _is_optional_target(value: object) -> bool:
    return value == "" or _is_target(value)


def _dataset(spec: Dataset) -> None:
    _require(spec, "target", "'package.module:attribute'", _is_target)
    for field in ("held_out", "modes"):
        _require(spec, field, "'package.module:attribute', or ''", _is_optional_target)
    _require(spec, "extractor", "'name' or 'distribution/name', or ''", lambda name: name == "" or _is_reference(name))


def _are_patterns(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, str) and each == each.lower() for each in value)


def _reader(spec: Reader) -> None:
    _require(spec, "target", "'package.module:function'", _is_target)
    for field in ("files", "folders"):
        _require(spec, field, "a tuple of lower-case patterns, such as ('*.zip',)", _are_patterns)
    _require(spec, "files", "a pattern in files or in folders", lambda files: bool(files or spec.folders))


def _extractor(spec: Extractor) -> None:
    _require(spec, "file", "'package:file.onnx'", lambda file: isinstance(file, str) and bool(_FILE.fullmatch(file)))
    _require(
        spec, "sha256", "64 hexadecimal digits", lambda digest: isinstance(digest, str) and bool(_HEX.fullmatch(digest))
    )


def _metric(spec: Metric) -> None:
    _require(spec, "target", "'package.module:function'", _is_target)
    _require(
        spec,
        "figures",
        "a mapping of names to 'lower', 'higher' or ''",
        lambda figures: (
            _is_configuration(figures)
            and bool(figures)
            and all(len(name) <= LONGEST_NAME for name in figures)
            and all(better in ("lower", "higher", "") for better in figures.values())
        ),
    )
    _require(
        spec,
        "bounds",
        "a mapping of names of figures to two numbers, the smaller one first",
        lambda bounds: (
            _is_configuration(bounds) and bounds.keys() <= spec.figures.keys() and all(map(_is_range, bounds.values()))
        ),
    )


def _augmentation(spec: Augmentation) -> None:
    _require(spec, "target", "'package.module:Class'", _is_target)
    _options(spec)
    _state(spec)


def _optimizer(spec: Optimizer) -> None:
    _require(spec, "target", "'package.module:function'", _is_target)
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
