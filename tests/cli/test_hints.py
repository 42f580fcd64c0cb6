"""What is said to somebody who types another tool's words."""

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from ganzoo.cli import cli, main
from ganzoo.cli.output import _COMMAND, there
from ganzoo.cli.registry import command as registry
from ganzoo.cli.train import command
from ganzoo.config import RunConfig
from ganzoo.config.synonyms import SYNONYMS, meant_by
from ganzoo_registry import Registry

ROOT = Path(__file__).parents[2]


def said(arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The hint to an error of usage."""
    assert main(shlex.split(arguments)) == 2
    found = re.fullmatch(r"Error: .+\nHint: (.+)\n", capsys.readouterr().err)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("--lr 1e-4", "that is --set generator.lr=2e-4 --set discriminator.lr=2e-4"),
        ("--epochs 3", "that is --steps N, or --kimg N for thousands of images"),
        ("--resolution 64", "that is --size PIXELS"),
        ("--output here", "that is --runs DIR"),
        ("--loss hinge", "that is --set loss=NAME; ganzoo models show MODEL names its own"),
        ("--lambda-gp 10", "that is --set penalties.gradient-penalty.weight=10"),
        ("wgan-gp", "ganzoo train --model wgan-gp"),
        ("--stps 3", "did you mean --steps?"),
    ],
)
def test_what_was_meant_is_named(option: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(f"train {option}", capsys) == hint


def test_so_it_is_in_a_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert said("train --model dcgan --set n_critic=5", capsys) == "that is --set critic_steps=5"
    assert said("train --model dcgan --set generator.lrr=5", capsys).startswith("did you mean 'generator.lr'")


@pytest.mark.parametrize("group", ["models", "registry", "data", "plugins"])
def test_a_name_in_place_of_a_command_is_shown(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(f"{group} wgan-gp", capsys) == f"to see it: ganzoo {group} show wgan-gp"


def test_an_option_before_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert said("-q train", capsys) == "options stand behind the command: ganzoo COMMAND -q"


def test_a_run_in_place_of_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "generator.onnx").touch()
    assert main(["sample", str(tmp_path)]) == 3
    assert capsys.readouterr().err.endswith(f"Hint: the file in it is {tmp_path}/generator.onnx\n")


def test_no_word_means_two_things() -> None:
    words = [word for words in SYNONYMS for word in words.split()]
    assert len(words) == len(set(words))
    assert meant_by("--Batch-Size") == "--batch N"
    assert meant_by("--size") is None


@pytest.mark.parametrize("meant", SYNONYMS.values())
def test_what_is_meant_is_there(meant: str) -> None:
    """Each option that is named is one of ``train``'s, each key one of the configuration's."""
    options = {name for parameter in command.params for name in parameter.opts}
    keys = {field.name for field in fields(RunConfig)}
    ours = meant.partition("torchrun")[0]
    assert set(re.findall(r"--[\w-]+", ours)) <= options
    assert set(re.findall(r"--set (\w+)", ours)) <= keys


@pytest.mark.parametrize(
    ("model", "word"),
    [("wgan-gp", "lambda_gp"), ("wgan", "clip_value"), ("dcgan", "betas"), ("dcgan", "nz"), ("dcgan", "lr")],
)
def test_what_is_meant_can_be_typed(model: str, word: str) -> None:
    meant = meant_by(word)
    assert meant is not None
    assert main(["train", "--model", model, "--print-config", *shlex.split(meant)]) == 0


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("sample nope", "choose one of: net"),
        ("registry show net@champion", "set it with: ganzoo registry alias net:N champion --registry 'my own'"),
        ("registry rm net", "ganzoo registry rm net:1 --registry 'my own'"),
        ("registry ls net --all", "ganzoo registry ls net --registry 'my own'"),
        ("sample net", "ganzoo export net:1 --registry 'my own'"),
    ],
)
def test_a_command_that_is_named_is_of_the_same_registry(
    command: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Registry(Path("my own")).register("net", {"generator": b"0"}, {})
    assert main([*shlex.split(command), "--registry", "my own"]) in (2, 3)
    assert capsys.readouterr().err.splitlines()[-1] == f"Hint: {hint}"


def test_a_registry_is_forgotten_with_its_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["registry", "ls", "net", "--all", "--registry", str(tmp_path)])
    capsys.readouterr()
    main(["runs", "show", "last", "--runs", str(tmp_path)])  # which has no such option
    assert capsys.readouterr().err.splitlines()[-1] == "Hint: start one: ganzoo train --model wgan-gp"


def texts() -> Iterator[str]:
    """Every text in the sources, with ``X`` for what is filled in."""
    for path in [*(ROOT / "ganzoo").rglob("*.py"), *(ROOT / "registry").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_no_sentence_of_a_hint_is_taken_for_a_command() -> None:
    """What a command of a hint has behind it are options, their values, and names in capitals."""
    commands = {found[0] for text in texts() if "\n" not in text for found in _COMMAND.finditer(text)}
    words = {word for command in commands for word in re.sub(r"'[^']*'", "X", command).split()[2:]}
    values = {"wgan-gp", "wgan-gp:3", "dcgan", "a.onnx", "all", "champion.", "good.", "…", "&"}
    known = set(vars(cli)["table"]) | set(registry.list_commands(click.Context(registry)))
    prose = {word for word in words if not re.fullmatch(r"-.*|.*[A-Z].*", word)} - values - known
    assert len(commands) > 20
    assert prose == set()


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("then: ganzoo registry rm a:1; then: ganzoo train", "then: ganzoo registry rm a:1{}; then: ganzoo train{}"),
        ("ganzoo train --resume x --registry y", "ganzoo train --resume x --registry y"),
        ("restore it, or take it out: ganzoo registry rm a:1", "restore it, or take it out: ganzoo registry rm a:1{}"),
        ("ganzoo runs ls lists them", "ganzoo runs ls lists them"),
        ("choose another place with --registry DIR", "choose another place with --registry DIR"),
        ("see: ganzoo sample --help", "see: ganzoo sample --help"),
        ("then: ganzoo train --resume 'runs/a;b/1'; or not", "then: ganzoo train --resume 'runs/a;b/1'{}; or not"),
    ],
)
def test_commands_are_found_in_a_hint(text: str, same: str, tmp_path: Path) -> None:
    main(["registry", "ls", "--registry", str(tmp_path)])
    assert there(text) == same.replace("{}", f" --registry {tmp_path}")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("registry delete net:1", "that is ganzoo registry rm"),
        ("runs remove last", "that is ganzoo runs rm"),
        ("runs list", "that is ganzoo runs ls"),
        ("models info", "that is ganzoo models show"),
        ("models wgan-gp", "to see it: ganzoo models show wgan-gp"),
        ("train --model dcgan --size 8 8", "see: ganzoo train --help"),
    ],
)
def test_another_tools_words_for_a_command(typed: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(typed, capsys) == hint
