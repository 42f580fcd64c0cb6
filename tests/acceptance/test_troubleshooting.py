"""docs/troubleshooting.md quotes lines that ganzoo prints: each is held against what its code can say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganzoo
import ganzoo_registry

PAGE = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
QUOTED = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)


def texts(tree: ast.Module) -> Iterator[str]:
    """The strings of a module, docstrings left out; ``…`` stands where a name or a number is put in."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.fixture(scope="module")
def said() -> str:
    """All that ganzoo's code can say, a string a line."""
    files = [path for package in (ganzoo, ganzoo_registry) for path in Path(package.__path__[0]).rglob("*.py")]
    return "\n".join(text for path in files for text in texts(ast.parse(path.read_text("utf-8"))))


@pytest.mark.parametrize("line", QUOTED)
def test_a_quoted_line_is_one_that_ganzoo_prints(line: str, said: str) -> None:
    parts = [part.strip() for part in line.split("…") if part.strip()]
    assert [part for part in parts if part not in said] == []


def test_every_row_begins_with_a_line() -> None:
    rows = [row for row in PAGE.read_text("utf-8").splitlines() if row.startswith("| ") and "| why |" not in row]
    assert len(QUOTED) == len(rows) > 12
