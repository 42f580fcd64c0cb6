"""Writes docs/specs.md: the fields of every spec, with their defaults and meanings, as ganzoo/specs.py has them.

python docs/reference.py
"""

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from ganzoo import specs

PAGE = Path(__file__).with_name("specs.md")

INTRODUCTION = """\
# Specs

The hook `ganzoo_specs()` of a [plugin](plugins.md) yields specs: frozen, keyword-only dataclasses, imported from
`ganzoo`. [contract.md](contract.md) says what the networks, losses and functions that they name are given, and what
they may do. Within `ganzoo.v1` fields are only added, with defaults.

<!-- Made by docs/reference.py from the docstrings in ganzoo/specs.py: change them, and run it again. -->
"""

ARGUMENT = re.compile(r"^    (\w+(?:, \w+)*): ", re.MULTILINE)
"""The beginning of what ``Args:`` says about one field, or several."""


def helpers() -> list[type[Any]]:
    """The dataclasses that are no specs, and are given to one or by one."""
    kinds = [value for value in vars(specs).values() if inspect.isclass(value) and is_dataclass(value)]
    return [kind for kind in kinds if not issubclass(kind, specs.Spec)]


def page() -> str:
    """The whole page."""
    kinds: list[type[Any]] = [specs.Spec, *specs.KINDS, *helpers()]
    return "\n".join([INTRODUCTION, *(section(kind) for kind in kinds)])


def section(kind: type[Any]) -> str:
    """A heading, and under it the docstring with its arguments as a table, without the fields that every spec has."""
    before, meanings, after = parsed(inspect.getdoc(kind) or "")
    inherited = {field.name for field in fields(specs.Spec)} if kind is not specs.Spec else set()
    rows = [row(field, meanings[field.name]) for field in fields(kind) if field.name not in inherited]
    table = "\n".join(["| field | default | meaning |", "|---|---|---|", *rows])
    return "\n".join(f"{part}\n" for part in (f"## {kind.__name__}", before, table, after) if part)


def parsed(docstring: str) -> tuple[str, dict[str, str], str]:
    """What stands before the arguments, field -> what is said of it, and what stands after them, as Markdown."""
    before, _, rest = docstring.replace("``", "`").partition("\n\nArgs:\n")
    arguments, _, after = rest.partition("\n\n")
    meanings = {}
    for names, meaning in pairs(ARGUMENT.split(arguments)[1:]):
        for name in names.split(", "):
            meanings[name] = " ".join(meaning.split()).rstrip(".")
    return before, meanings, after


def pairs(items: list[str]) -> Iterator[tuple[str, str]]:
    """Each item of an even place with the one after it."""
    return zip(items[::2], items[1::2], strict=True)


def row(field: Field[Any], meaning: str) -> str:
    """The field's row of a table, in which a bar would end a cell."""
    return f"| `{field.name}` | {default(field)} | {meaning.replace('|', chr(92) + '|')} |"


def default(field: Field[Any]) -> str:
    """The field's default as a configuration would have it."""
    value = field.default if field.default_factory is MISSING else field.default_factory()
    if value is MISSING:
        return "required"
    if isinstance(value, tuple) and value:
        value = list(value)
    return f"`{json.dumps(value)}`" if isinstance(value, str | list) else f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
