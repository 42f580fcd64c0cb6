"""English that is read once: a docstring says its subject first, and one thing has one word."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PACKAGES = ("ganzoo", "plugins/ganzoo_plugins", "registry/ganzoo_registry")

CODE = [path for package in (*PACKAGES, "benchmarks") for path in sorted((ROOT / package).rglob("*.py"))]

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]

NAMES = re.compile(r"\b(judge|judge?ment|assess)\b", re.IGNORECASE)
"""Words for *evaluate* that nothing is called by."""

WORDS = re.compile(r"\b(judg|assess)\w*", re.IGNORECASE)
"""The same words in any form, as prose has them."""

NAMED = "benchmarks/judges.py"
"""The one file that is called by such a word: what it is cited by is no prose."""


def other_words(text: str) -> bool:
    """Whether prose has another word for *evaluate*."""
    return bool(WORDS.search(text.replace(NAMED, "")))


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every string that stands by itself: those of modules, classes, functions and constants."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def prose(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every comment and string, without the names in f-strings."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def within(path: Path) -> str:
    """The path from the root, to name a test by."""
    return path.relative_to(ROOT).as_posix()


def test_all_code_is_looked_at() -> None:
    for package in PACKAGES:
        assert ROOT / package / "__init__.py" in CODE
    assert len(DOCUMENTS) > 1


@pytest.mark.parametrize("path", CODE, ids=within)
def test_a_docstring_says_its_subject_first(path: Path) -> None:
    found = [f"{within(path)}:{line}" for line, text in docstrings(path.read_text("utf-8")) if text.startswith("Of ")]
    assert not found


@pytest.mark.parametrize("path", CODE, ids=within)
def test_code_says_evaluate(path: Path) -> None:
    source = path.read_text("utf-8")
    assert not NAMES.search(source)
    assert not [f"{within(path)}:{line}" for line, text in prose(source) if other_words(text)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=within)
def test_documents_say_evaluate(path: Path) -> None:
    found = [number for number, line in enumerate(path.read_text("utf-8").splitlines(), 1) if other_words(line)]
    assert not found


@pytest.mark.parametrize(
    "source", ['"""Of a module."""', 'X = 1\n"""Of a constant."""', 'def f():\n    """Of a function."""\n']
)
def test_a_docstring_without_a_subject_is_found(source: str) -> None:
    assert [text for _, text in docstrings(source)] == [text for _, text in prose(source)]
    assert all(text.startswith("Of ") for _, text in docstrings(source))


@pytest.mark.parametrize("source", ["x = 1  # as judged", 'f"{x} judges"', "'assessment'"])
def test_another_word_for_evaluate_is_found(source: str) -> None:
    assert any(other_words(text) for _, text in prose(source))
