"""Text is read and written in an encoding that is named, so that a machine's own does not matter."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [path for tree in ("ganzoo", "plugins", "registry") for path in sorted((ROOT / tree).rglob("*.py"))]

PLACES = {"read_text": 0, "write_text": 1, "TextIOWrapper": 1}
"""What takes an encoding -> at which place, if it is not named."""

OPENING = {"open": 1, "fdopen": 1, ".open": 0}
"""What takes a mode -> at which place; a ``.open`` of ``os`` takes flags, of which none is a text."""


def unnamed(source: str) -> Iterator[str]:
    """The calls in a file that leave the encoding to the machine."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and not any(keyword.arg == "encoding" for keyword in call.keywords):
            name = ast.unparse(call.func)
            last = name.rpartition(".")[2]
            if len(call.args) <= PLACES.get(last, -1) or _opens_text(name, last, call):
                yield ast.unparse(call)


def _opens_text(name: str, last: str, call: ast.Call) -> bool:
    place = OPENING.get(".open" if name.endswith(".open") else last)
    if place is None or name in ("os.open", "Image.open", "tarfile.open"):
        return False
    modes = [keyword.value for keyword in call.keywords if keyword.arg == "mode"] or call.args[place : place + 1]
    return not modes or (isinstance(modes[0], ast.Constant) and "b" not in str(modes[0].value))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_text_is_in_the_encoding_of_the_machine(path: Path) -> None:
    assert list(unnamed(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "call",
    ["p.read_text()", "p.write_text(a)", "open(p)", "open(p, 'w')", "p.open('a')", "p.open()", "os.fdopen(3, 'r')"],
)
def test_the_test_sees_them(call: str) -> None:
    assert list(unnamed(call)) == [call]


@pytest.mark.parametrize(
    "call", ["p.read_text('utf-8')", "p.write_text(a, 'utf-8')", "open(p, 'rb')", "p.open('w', encoding='utf-8')"]
)
def test_the_test_passes_over_the_others(call: str) -> None:
    assert list(unnamed(call)) == []
