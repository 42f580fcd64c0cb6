"""Configuration as nested tables: layers over one another, and checked against a dataclass."""

import os
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import MappingProxyType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from ganzoo.config.run import LATER, NETWORKS, NetworkConfig, RunConfig
from ganzoo.config.schedule import CurveName, Schedule
from ganzoo.config.synonyms import meant_by
from ganzoo.errors import UsageError, did_you_mean

Settings = Mapping[str, Any]
"""Configuration as nested tables, as in a TOML file."""


def merge(base: Settings, *over: Settings) -> dict[str, Any]:
    """``base`` with the values of each of ``over`` laid over it, table by table."""
    merged = dict(base)
    for settings in over:
        for key, value in settings.items():
            below = merged.get(key)
            both = isinstance(below, Mapping) and isinstance(value, Mapping)
            merged[key] = merge(below, value) if both else value  # type: ignore[arg-type]
    return merged


def as_settings(given: object, keywords: Settings = MappingProxyType({})) -> Settings:
    """What a Python caller gives as ``settings``, and as keywords beside it; None is none.

    Raises:
        UsageError: it is no mapping, a key is given in both, or one is not text.
    """
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise UsageError(f"settings: a {type(given).__name__} is not a mapping", hint='give a dict: {"batch": 32}')
    if twice := sorted(given.keys() & keywords.keys()):
        raise UsageError(f"{twice[0]!r} is given as a keyword and in settings", hint="give it once")
    settings: Settings = plain({**given, **keywords})
    return settings


def plain(value: Any, prefix: str = "") -> Any:
    """A value as a TOML file would give it: text for a path, Python's numbers and lists for NumPy's and torch's.

    Raises:
        UsageError: a table has a key that is not text; it is named with ``prefix``.
    """
    if isinstance(value, Mapping):
        if strange := [key for key in value if not isinstance(key, str)]:
            raise UsageError(f"configuration key {prefix}{strange[0]!r}: it is not text", hint='as in {"batch": 32}')
        return {key: plain(each, f"{prefix}{key}.") for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, prefix) for each in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    # NumPy's float64 is a float, and still none to msgspec.
    return value.tolist() if hasattr(type(value), "tolist") else value


def layered(*layers: Settings) -> dict[str, Any]:
    """Each of ``layers`` over those before; a length in kimg replaces one in steps below it, and the other way round.

    Raises:
        UsageError: one layer gives both lengths.
    """
    settings: dict[str, Any] = {}
    for layer in layers:
        if layer.get("kimg") and "steps" in layer:
            raise UsageError("steps and kimg exclude each other", hint="say how long to train in one of them")
        if "steps" in layer:
            settings.pop("kimg", None)
        elif layer.get("kimg"):
            settings.pop("steps", None)
        settings = merge(settings, layer)
    return settings


def check_keys(values: Settings, to: type[Any], prefix: str = "") -> None:
    """Refuse a key that the dataclass ``to``, or one of the dataclasses in it, has no field for.

    Raises:
        UsageError: there is such a key; names it, and the one that was probably meant.
    """
    hints = get_type_hints(to)
    known = {field.name: hints[field.name] for field in fields(to)}
    for key, value in values.items():
        if key not in known and to is not NetworkConfig:  # whose optimizer has options of its own
            meant = None if prefix else meant_by(key)
            said = f"that is {meant}" if meant else did_you_mean(key, known, prefix)
            raise UsageError(f"unknown configuration key {prefix + key!r}", hint=said)
        hint = known.get(key)
        for kind in get_args(hint) if isinstance(hint, UnionType) else (hint,):
            if is_dataclass(kind) and isinstance(value, Mapping):
                check_keys(value, kind, f"{prefix}{key}.")  # type: ignore[arg-type]


def convert(values: Settings, to: type[Any], prefix: str = "") -> Any:
    """Check ``values`` against the dataclass ``to`` and build it.

    Raises:
        UsageError: a value is wrong; names the key, and says what its value should be.
    """
    check_keys(values, to, prefix)
    nested = {**values, **{key: _with_options(values[key]) for key in NETWORKS if to is RunConfig and key in values}}
    for end in ENDS:  # both ends of a schedule are held to what the key takes
        if (numbers := without_schedules(nested, end)) != nested:
            _converted(numbers, to, prefix)
    return _converted(nested, to, prefix)


def _converted(values: Settings, to: type[Any], prefix: str) -> Any:
    try:
        return msgspec.convert(_with_infinity(values, to), to)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        path = where.strip("`.").replace(".options.", ".") if to is RunConfig else where.strip("`.")
        if "[...]" in path:
            path = _exact(path, str(error), _with_infinity(values, to), to)
        allowed = choices(to, path.split(".")[0].partition("[")[0])
        if path.endswith(".curve"):
            allowed = list(CurveName)
        raise UsageError(
            f"configuration key {(prefix + path).rstrip('.')!r}: {_problem(problem, path)}",
            hint=f"choose one of: {', '.join(allowed)}" if allowed else _hint(problem, path, to),
        ) from error


EXAMPLES = {
    "bool": "true or false",
    "int": "a whole number, such as 8",
    "float": "a number, such as 0.001",
    "str": "a word or a path, such as dcgan",
    "array": "a list, such as [0.5, 0.999]",
    "object": "a table; one of its keys is set by --set TABLE.KEY=VALUE",
}
"""Type that was expected -> what a person could type."""


def _exact(path: str, found: str, values: Settings, to: type[Any]) -> str:
    """A path with the name that msgspec leaves out: it writes ``[...]`` for each key of a table of tables.

    Args:
        found: what it says of ``values``; with another key alone, it may find another fault.
    """
    table, _, rest = path.partition("[...]")
    for key, value in values.get(table, {}).items():  # none: it is a table in a list
        try:
            msgspec.convert({**values, table: {key: value}}, to)
        except msgspec.ValidationError as error:
            if str(error) == found:
                return f"{table}.{key}{rest}"
    return path


def _problem(problem: str, path: str) -> str:
    if path.endswith(".until"):
        return "neither a number of steps, at least 1, nor a share of the run"
    return f"{problem[:1].lower()}{problem[1:]}".replace("`float | object`", "`float`, or a schedule")


def _hint(problem: str, path: str, to: type[Any]) -> str:
    if path.endswith(".until"):
        return 'until = 1000, or until = "40%": more than 0%, at most 100%'
    if problem.endswith(("field `to`", "field `from`")) or "unknown field" in problem:
        schedule = '{from = 2e-4, to = 1e-5, until = "50%", curve = "cosine"}'
        return f"{schedule} in its place" if "[" in path else f"--set {path}='{schedule}'"
    kind = re.match(r"[Ee]xpected `(\w+)", problem)
    expected = kind[1] if kind else ""
    if expected == "array" and _of_text(get_type_hints(to).get(path)):
        return 'a list, such as ["tensorboard"]'
    return EXAMPLES.get(expected, "for the defaults: ganzoo models show MODEL")


def _of_text(annotation: Any) -> bool:
    """Whether a list of this type holds text."""
    if get_origin(annotation) in (UnionType, Union):
        return any(map(_of_text, get_args(annotation)))
    return get_origin(annotation) in (list, tuple) and str in get_args(annotation)


def _with_options(network: Any) -> Any:
    """A network's table, with the keys that are its optimizer's options in a table of their own."""
    if not isinstance(network, Mapping):
        return network
    own = {field.name for field in fields(NetworkConfig)} - {"options"}
    options = {key: value for key, value in network.items() if key not in own}
    return {key: value for key, value in network.items() if key in own} | {"options": options}


ENDS = ("from", "to")


def is_schedule(value: object) -> bool:
    """Whether a value of a table is a schedule."""
    return isinstance(value, Mapping) and set(ENDS) <= value.keys() <= {*ENDS, "until", "curve"}


def without_schedules(value: Any, end: str) -> Any:
    """The value with a number in the place of each schedule in it: the one at that end, ``from`` or ``to``."""
    if isinstance(value, Schedule):
        return value.start if end == "from" else value.to
    if is_schedule(value):
        return value[end]
    if isinstance(value, Mapping):
        return {key: without_schedules(each, end) for key, each in value.items()}
    return [without_schedules(each, end) for each in value] if isinstance(value, list | tuple) else value


def _with_infinity(values: Settings, to: type[Any]) -> Settings:
    """``values`` with numbers where ``to`` takes some and JSON has words in their place; see ``json_value``."""
    hints = get_type_hints(to)
    numbers = {key for key, hint in hints.items() if float in (hint, *get_args(hint)) and str not in get_args(hint)}
    words = ("inf", "-inf", "nan")
    return {
        key: float(value) if key in numbers and isinstance(value, str) and value in words else value
        for key, value in values.items()
    }


def convert_varying(values: Settings, to: type[Any], prefix: str) -> Any:
    """Options as ``convert`` makes them of the dataclass ``to``, of which floats may be schedules.

    Raises:
        UsageError: a value is wrong, at one end of a schedule, too.
    """
    for key, value in values.items():
        _check_schedules(value, f"{prefix}{key}")
    last, first = (convert(without_schedules(values, end), to, prefix) for end in reversed(ENDS))
    for key, value in values.items():
        if without_schedules(value, "to") != value:
            # Past the dataclass's own checks, which both ends have passed: a schedule is no float.
            object.__setattr__(first, key, _scheduled(value, getattr(last, key), f"{prefix}{key}"))
    return first


def _check_schedules(value: Any, key: str) -> None:
    """Refuse a table that would be a schedule, but for a key that is missing or unknown.

    Raises:
        UsageError: there is one.
    """
    if isinstance(value, list | tuple):
        for number, each in enumerate(value):
            _check_schedules(each, f"{key}[{number}]")
    elif isinstance(value, Mapping) and value.keys() & set(ENDS) and not is_schedule(value):
        _as_schedule(value, key)


def _scheduled(value: Any, ends: Any, key: str) -> Any:
    """The value with a ``Schedule`` in the place of each table of one."""
    if isinstance(value, list | tuple):
        return tuple(_scheduled(*each, f"{key}[{i}]") for i, each in enumerate(zip(value, ends, strict=True)))
    if not is_schedule(value):
        return ends
    if type(ends) is not float:
        raise UsageError(f"configuration key {key!r}: only a float can change in the course of a run", hint="one value")
    return _as_schedule(value, key)


def _as_schedule(value: Settings, key: str) -> Schedule:
    try:
        return msgspec.convert(value, Schedule)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        path = f"{key}{where.rstrip('`')}"
        hint = f"choose one of: {', '.join(CurveName)}" if path.endswith(".curve") else _hint(problem, path, Schedule)
        raise UsageError(f"configuration key {path!r}: {_problem(problem, path)}", hint=hint) from error


def choices(to: type[Any], name: str) -> list[str]:
    """The words that the field ``name`` of the dataclass ``to`` takes; empty for a field that takes anything else."""

    def words(annotation: Any) -> list[str]:
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            return [member.value for member in annotation]
        if get_origin(annotation) is Literal:
            return list(get_args(annotation))
        return [word for inner in get_args(annotation) for word in words(inner)]

    return words(get_type_hints(to).get(name))


def changes(old: RunConfig, new: RunConfig) -> list[str]:
    """The keys that differ, each in one line: ``batch: 64 -> 32``."""
    before, after = flat(old.to_dict()), flat(new.to_dict())
    pairs = {key: [each.get(key, LATER.get(key)) for each in (before, after)] for key in before.keys() | after.keys()}
    return [f"{key}: {old} -> {new}" for key, (old, new) in sorted(pairs.items()) if not same(old, new)]


def same(one: Any, other: Any) -> bool:
    """Whether two values of a configuration are equal; NaN is equal to NaN."""
    return bool(one == other) or repr(one) == repr(other)


def flat(table: Settings, prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` -> ``{"a.b": 1}``; an empty table leaves nothing."""
    rows: dict[str, Any] = {}
    for key, value in table.items():
        rows |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return rows
