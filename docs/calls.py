"""Writes the second half of docs/python.md: every call that its table names, as the docstrings have it.

python docs/calls.py
"""

import ast
import importlib
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ganzoo.observer import Observer
from ganzoo.runtime.generator import ImageGenerator

PAGE = Path(__file__).with_name("python.md")

MARK = "<!-- Made by docs/calls.py from the docstrings: change them, and run it again. -->\n"

ROW = re.compile(r"^\| `(ganzoo[\w.]*)\.(\w+)` \|", re.MULTILINE)
"""A row of the table: module and name."""

PART = re.compile(r"(Args|Returns|Raises):\n")
ENTRY = re.compile(r"^    (\w[\w, ]*): ", re.MULTILINE)
"""The beginning of what a part says about one name, or several."""


METHODS: dict[str, list[Callable[..., Any]]] = {
    "load": [getattr(ImageGenerator, name) for name in ("sample", "stream", "interpolate", "grid", "run")],
    "Observer": [method for method in vars(Observer).values() if inspect.isfunction(method)],
}
"""What is called of what a call gives, and of a class."""


def page() -> str:
    """The whole page: what stands before the mark is written by hand."""
    written, _, _ = PAGE.read_text("utf-8").partition(MARK)
    return "\n".join([f"{written}{MARK}", *(section(*row) for row in ROW.findall(written))])


def section(module: str, name: str) -> str:
    """A heading, and under it how something is called and its docstring; and its methods, or those of what it gives."""
    shown = [getattr(importlib.import_module(module), name), *METHODS.get(name, [])]
    parts = [part for each in shown for part in described(each)]
    return "\n".join([f"## `{module}.{name}`\n", *parts])


def described(found: Any) -> Iterator[str]:
    """How something is called, if it is a function, and its docstring as Markdown."""
    if inspect.isfunction(found):
        yield f"```text\n{signature(found)}\n```\n"
    for block in (inspect.getdoc(found) or "").replace("``", "`").split("\n\n"):
        yield f"{markdown(block)}\n"


def signature(function: Any) -> str:
    """``name(…) -> type`` as the source has it, an argument a line where there are several; self is left out."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    given = definition.args
    positional = [each for each in given.args if each.arg != "self"]
    defaults = [*[None] * (len(positional) - len(given.defaults)), *given.defaults]
    arguments = [argument(*pair) for pair in zip(positional, defaults, strict=True)]
    arguments += ["*"] if given.kwonlyargs else []
    arguments += [argument(*pair) for pair in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    arguments += [f"**{argument(given.kwarg)}"] if given.kwarg else []
    listed = ", ".join(arguments) if len(arguments) < 3 else "".join(f"\n    {each}," for each in arguments) + "\n"
    return f"{definition.name}({listed}) -> {annotation(definition.returns)}"


def argument(given: ast.arg, default: ast.expr | None = None) -> str:
    """``name: type = default``."""
    told = f"{given.arg}: {annotation(given.annotation)}"
    if default is None:
        return told
    text = default.value if isinstance(default, ast.Constant) and isinstance(default.value, str) else None
    return f"{told} = {ast.unparse(default) if text is None else json.dumps(text)}"


def annotation(given: Any) -> str:
    """A type as it is written, without the quotes that it may stand in."""
    quoted = isinstance(given, ast.Constant) and isinstance(given.value, str)
    return given.value if quoted else ast.unparse(given)


def markdown(block: str) -> str:
    """A paragraph of a docstring, or a part of it as a list."""
    if not (part := PART.match(block)):
        return filled(block)
    heading, text = part[1], block[part.end() :]
    _, *entries = ENTRY.split(text) if heading != "Returns" else [text]
    if not entries:
        return filled(f"{heading}: {text}")
    lines = [f"{heading}:\n"]
    for names, meaning in zip(entries[::2], entries[1::2], strict=True):
        marked = ", ".join(f"`{name}`" for name in names.split(", "))
        lines.append(filled(f"- {marked}: {meaning}", indent="  "))
    return "\n".join(lines)


def filled(text: str, indent: str = "") -> str:
    """Text in lines of at most 120 characters."""
    words = " ".join(text.split())
    return textwrap.fill(words, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
