"""``examples/``: four distributions of others, as wheels in one environment, checked, trained with and exported."""

import ast
import io
import json
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir())
NAMES = [path.name for path in EXAMPLES]
MOST_LINES = 30
"""Lines of code that an example may have beside its networks."""

SHORT = ("--steps", "2", "--batch", "8", "--device", "cpu", "--set", "report_every=1")


def code_lines(source: str) -> set[int]:
    """The lines that have code: no comment, no docstring and no blank."""
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in silent]
    lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            assert node.end_lineno is not None
            lines -= set(range(node.lineno, node.end_lineno + 1))
    return lines


def test_what_is_a_line_of_code() -> None:
    module = '"""A module,\n\nof two lines."""\n\nx = 1  # one\n# nothing\n\n\n'
    source = module + 'def f():\n    """Two."""\n    return (\n        2\n    )\n'
    assert code_lines(source) == {5, 9, 11, 12, 13}


@pytest.mark.parametrize("source", EXAMPLES, ids=NAMES)
def test_an_example_is_small_and_whole(source: Path) -> None:
    project = tomllib.loads((source / "pyproject.toml").read_text("utf-8"))["project"]
    package = f"ganzoo_{source.name.replace('-', '_')}"
    assert project["entry-points"]["ganzoo.v1"] == {source.name: package}
    assert f"ganzoo-{source.name}" == project["name"]
    assert project["name"] in (source / "README.md").read_text("utf-8")
    files = [path for path in (source / package).glob("*.py") if path.name != "networks.py"]
    lines = sum(len(code_lines(path.read_text("utf-8"))) for path in files)
    assert 0 < lines <= MOST_LINES
    test = (source / "tests" / "test_conformance.py").read_text("utf-8")
    assert len(code_lines(test)) == 3
    assert f'plugin = "{source.name}"' in test


@pytest.fixture(scope="module")
def examples(place: Any, pip: Callable[..., str]) -> Iterator[Any]:
    """The environment with all of them in it."""
    pip(place.python, "install", *EXAMPLES)
    yield place
    pip(place.python, "uninstall", "--yes", *[f"ganzoo-{name}" for name in NAMES])
    assert not set(NAMES) & set(place.models())


def test_all_pass_the_kit(examples: Any) -> None:
    found = examples.check("--set", "options.width=8")
    assert {"model label-projection", "model slopes", "model lecam", "dataset shapes"} <= {
        each["subject"] for each in found
    }
    assert {"onnx", "tracing", "two ranks", "resume", "hidden state"} <= {each["check"] for each in found}


def test_their_losses_are_their_papers(examples: Any) -> None:
    """Their own tests, but for the kit."""
    tests = [source / "tests" for source in EXAMPLES]
    options = ("-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-k", "not Conformance")
    done = examples.run(examples.python, "-B", "-m", "pytest", *options, f"--rootdir={examples.directory}", *tests)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_a_conditional_model_trains_and_exports(examples: Any) -> None:
    done = examples.run(examples.command, "train", "--model", "label-projection", *SHORT)
    assert done.returncode == 0, done.stderr
    assert "gate passed: parity" in done.stderr
    examples.ganzoo("sample", "label-projection", "-n", "4", "--label", "7", "-o", "sevens.png", "--device", "cpu")


@pytest.mark.parametrize("model", ["slopes", "lecam"])
def test_a_loss_trains(examples: Any, model: str) -> None:
    examples.ganzoo("train", "--model", model, *SHORT, "--no-export")
    lineage = json.loads(examples.ganzoo("registry", "show", model, "--json"))["lineage"]
    assert lineage["training"]["steps"] == 2
    assert lineage["config"]["loss"].startswith(f"ganzoo-{model}/")


def test_a_data_set_is_trained_on_and_watched(examples: Any) -> None:
    train = ("train", "--model", "vanilla", "--data", "shapes", *SHORT, "--no-export")
    examples.ganzoo(*train, "--name", "watched", "--observer", "shapes")
    examples.ganzoo(*train, "--name", "unwatched")
    rows = (examples.directory / "runs" / "watched" / "1" / "reports.csv").read_text("utf-8").splitlines()
    assert {row.split(",")[0] for row in rows} == {"1", "2"}
    assert any(row.startswith("2,loss_d,") for row in rows)
    assert not (examples.directory / "runs" / "unwatched" / "1" / "reports.csv").exists()
