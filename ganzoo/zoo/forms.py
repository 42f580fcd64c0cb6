"""The forms that a field of a spec may have: each function tells whether a value has one."""

import math
import re
from collections.abc import Mapping

from ganzoo.specs import Preset

LONGEST_SUMMARY = 500
"""Most characters of a summary, which stands in a line."""

NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_REFERENCE = re.compile(rf"({NAME.pattern}/)?{NAME.pattern}")
_MODULE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_TARGET = re.compile(rf"{_MODULE}:{_MODULE}")
_FILE = re.compile(rf"{_MODULE}:[\w-]+(\.[\w-]+)+")
_DIGEST = re.compile(r"[0-9a-f]{64}")


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
    """A tuple of patterns in lower case."""
    return isinstance(value, tuple) and all(isinstance(each, str) and each == each.lower() for each in value)
