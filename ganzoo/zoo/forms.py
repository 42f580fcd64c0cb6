"""The forms that a field of a spec may have: each function tells whether a value has one."""

import math
import re
from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ganzoo.errors import described
from ganzoo.specs import Preset
from ganzoo.zoo.installed import LONGEST_NAME

LONGEST_SUMMARY = 500
"""Most characters of a summary, which stands in a line."""

NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_REFERENCE = re.compile(rf"({NAME.pattern}/)?{NAME.pattern}")
_MODULE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_TARGET = re.compile(rf"{_MODULE}:{_MODULE}")
_FILE = re.compile(rf"{_MODULE}:[\w-]+(\.[\w-]+)+")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SCALARS = (bool, int, float, str)
_COLLECTIONS = (list, tuple, dict)


def is_target(value: object) -> bool:
    """``"package.module:attribute"``."""
    return isinstance(value, str) and _TARGET.fullmatch(value) is not None


def is_file(value: object, suffix: str) -> bool:
    """``"package:file"`` of a file that ends with ``suffix``."""
    return isinstance(value, str) and value.endswith(suffix) and _FILE.fullmatch(value) is not None


def is_digest(value: object) -> bool:
    """A SHA-256 in hexadecimal digits."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def is_line(value: object) -> bool:
    """A line of text that a listing can hold."""
    return isinstance(value, str) and len(value) <= LONGEST_SUMMARY and len(value.splitlines()) <= 1


def is_figure(value: object) -> bool:
    """A name of a figure: it stands in a line, and in ``best`` between commas."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_NAME
        and value.isprintable()
        and value == value.strip()
        and "," not in value
    )


def are_figures(value: object) -> bool:
    """Names of figures with the side that is better; at least one."""
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(map(is_figure, value))
        and all(better in ("lower", "higher", "") for better in value.values())
    )


def is_reference(value: object) -> bool:
    """``"name"`` or ``"distribution/name"``."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def is_configuration(value: object) -> bool:
    """A table with string keys."""
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def is_positive(value: object) -> bool:
    """A whole number of at least 1."""
    return type(value) is int and value >= 1


def are_sizes(value: object) -> bool:
    """A tuple of pixels."""
    return isinstance(value, tuple) and all(map(is_positive, value))


def are_channels(value: object) -> bool:
    """A tuple of numbers of colour channels; at least one."""
    return isinstance(value, tuple) and bool(value) and all(type(each) is int and each in (1, 3) for each in value)


def is_range(value: object) -> bool:
    """A tuple of two numbers, the smaller one first."""
    numbers = isinstance(value, tuple) and len(value) == 2 and all(isinstance(end, int | float) for end in value)
    return numbers and value[0] < value[1]  # type: ignore[index]


def is_state(value: object) -> bool:
    """Identifiers with finite numbers."""
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and name.isidentifier() and type(number) in (int, float) and math.isfinite(number)
        for name, number in value.items()
    )


def is_by_size(value: object) -> bool:
    """Sizes in pixels with tables."""
    return isinstance(value, Mapping) and all(
        isinstance(size, int) and size > 0 and is_configuration(defaults) for size, defaults in value.items()
    )


def are_presets(value: object) -> bool:
    """Names with a ``Preset`` each, whose fields have their forms."""
    return isinstance(value, Mapping) and all(
        isinstance(name, str)
        and NAME.fullmatch(name)
        and isinstance(preset, Preset)
        and is_line(preset.summary)
        and is_configuration(preset.defaults)
        and are_sizes(preset.resolutions)
        for name, preset in value.items()
    )


def are_patterns(value: object) -> bool:
    """A tuple of patterns in lower case, none of them empty."""
    return isinstance(value, tuple) and all(isinstance(each, str) and each and each == each.lower() for each in value)


def is_writable(value: object) -> bool:
    """None, or what TOML and JSON can hold, as a run's configuration does: TOML has no None in a table or a list."""
    return value is None or _is_held(value)


def _is_held(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_held(each) for key, each in value.items())
    return isinstance(value, (*_SCALARS, Enum)) or (isinstance(value, list | tuple) and all(map(_is_held, value)))


def holds_none(value: object) -> bool:
    """Whether a table or a list has None in it, however deep."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return any(each is None or holds_none(each) for each in inner)


def fault_of_options(options: Any) -> str | None:
    """Which option cannot be written down, and why; None: all of them can.

    Args:
        options: an object of the dataclass, with its defaults.
    """
    kind = type(options)
    try:
        hints = get_type_hints(kind)
    except Exception as error:  # a name that is imported for type checkers alone
        missing = str(getattr(error, "name", ""))
        name = next((each.name for each in fields(kind) if missing in str(each.type)), "")
        return f"the type of {name!r} cannot be read: {described(error)}"
    for field in fields(kind):
        value = getattr(options, field.name)
        if not (is_writable(value) and _is_plain(hints[field.name])) and (reason := _refusal(value, hints[field.name])):
            return f"{field.name}={value!r:.60} cannot be written down: {reason}"
    return None


def _is_plain(hint: Any) -> bool:
    """Whether a type needs no look at by msgspec, whose import takes as long as that of all built-in plugins."""
    if hint in _SCALARS or hint in _COLLECTIONS or hint in (NoneType, Any, ...) or get_origin(hint) is Literal:
        return True
    if isinstance(hint, type) and issubclass(hint, Enum):
        return True
    return get_origin(hint) in (*_COLLECTIONS, Union, UnionType) and all(map(_is_plain, get_args(hint)))


def _refusal(value: Any, hint: Any) -> str:
    """Why the configuration cannot hold such a value, or read one of this type; empty: it can."""
    import msgspec

    try:
        held = msgspec.to_builtins(value)
        if holds_none(held):
            return "no table or list of TOML has None in it"
        if not is_writable(held):
            return "keys of a table are text"
        msgspec.convert(held, hint)
    except TypeError as error:  # a type that has no form
        return str(error)
    except msgspec.ValidationError:  # a wrong default, which ``ganzoo plugins check`` tells
        pass
    return ""
