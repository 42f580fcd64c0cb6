"""Every closed set is spelt once: in the file that owns it, from which the command line and the tables are made."""

import ast
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ganzoo.cli import train
from ganzoo.config import (
    CurveName,
    ExecutorName,
    FakeLabels,
    OnCollapse,
    PrecisionName,
    RunConfig,
    ScheduleName,
    choices,
)
from ganzoo.records.evaluation import HELD_OUT, TRAINING
from ganzoo.training.executors.choice import EXECUTORS
from ganzoo.training.schedule import RATES

ROOT = Path(__file__).parents[1]
OWNERS = {
    "ganzoo/config/run.py": {*PrecisionName, *ExecutorName, *FakeLabels, *OnCollapse, "adam"}
    - {"auto", "real", "uniform"},
    "ganzoo/config/schedule.py": {*ScheduleName, *CurveName} - {"step"},
    "ganzoo/records/run.py": {"samples.png", "generator.onnx"},
    "ganzoo/records/journal.py": {"metrics.jsonl", "evaluations.jsonl", "events.jsonl"},
    "ganzoo/records/evaluation.py": {HELD_OUT},
}
"""The file that owns words -> the words."""

ELSEWHERE = {
    ("ganzoo/cli/doctor.py", "bf16"),
    ("ganzoo/cli/sample.py", "samples.png"),
    ("ganzoo/zoo/libraries.py", "warn"),
}
"""Other things of the same name: what ``doctor`` says of the CPU, what ``sample`` writes, what NumPy does of itself."""


def words(path: Path) -> Iterator[str]:
    """The string constants of a file; docstrings, and strings under constants, say nothing to the program."""
    tree = ast.parse(path.read_text("utf-8"))
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value


@pytest.mark.parametrize("owner", OWNERS)
def test_there_is_no_second_spelling(owner: str) -> None:
    assert OWNERS[owner] <= set(words(ROOT / owner)), "the owner spells it"
    second = [
        (name, word)
        for path in sorted((ROOT / "ganzoo").rglob("*.py"))
        if (name := path.relative_to(ROOT).as_posix()) != owner
        for word in words(path)
        if word in OWNERS[owner] and (name, word) not in ELSEWHERE
    ]
    assert second == []


def test_the_test_sees_a_second_spelling(tmp_path: Path) -> None:
    file = tmp_path / "second.py"
    file.write_text('"""eager"""\nNAMES = ["eager"]\n"""compile"""\n')
    assert list(words(file)) == ["eager"]


def test_tables_are_complete() -> None:
    assert set(EXECUTORS) == set(ExecutorName) - {ExecutorName.AUTO}
    assert set(RATES) == set(ScheduleName)


@pytest.mark.parametrize("key", ["precision", "executor", "schedule", "on_collapse"])
def test_the_command_line_offers_what_the_configuration_takes(key: str) -> None:
    (option,) = (each for each in train.command.params if each.name == key)
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == choices(RunConfig, key) != []


def test_which_images_to_evaluate_by() -> None:
    from ganzoo.cli.eval import command

    (option,) = (each for each in command.params if each.name == "against")
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == [HELD_OUT, TRAINING]


def test_cores_are_counted_in_one_place() -> None:
    counting = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "ganzoo").rglob("*.py"))
        if "sched_getaffinity" in path.read_text("utf-8") or "cpu_count" in path.read_text("utf-8")
    ]
    assert counting == ["ganzoo/machine.py"]


def test_that_the_optimizer_is_adam_is_known_in_one_place() -> None:
    knowing = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "ganzoo" / "training").rglob("*.py"))
        if any(
            isinstance(node, ast.Attribute | ast.Name) and "adam" in ast.unparse(node).lower()
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
        )
    ]
    assert knowing == ["ganzoo/training/optimization.py"]
