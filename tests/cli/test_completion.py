"""What a shell is told when somebody presses the tabulator, asked as a shell asks."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from ganzoo.cli import cli
from ganzoo.cli.bash import Bash
from ganzoo_registry import Registry


@pytest.fixture(autouse=True)
def _registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(tmp_path / "registry")
    for seed in range(2):
        registry.register("faces", {}, {"seed": seed})
    registry.register("digits", {}, {})
    registry.alias("faces:1", "champion")
    monkeypatch.setenv("GANZOO_REGISTRY", str(registry.root))
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs/faces/3"
    run.mkdir(parents=True)
    (run / "config.toml").touch()


def completed(*words: str) -> list[str]:
    *before, begun = words
    found = BashComplete(cli, {}, "ganzoo", "_GANZOO_COMPLETE").get_completions(before, begun)
    return [item.value for item in found]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("train", "--model", "wgan-gp"), ["wgan-gp", "wgan-gp-resnet"]),
        (("models", "show", "big"), ["biggan"]),
        (("train", "--resume", "f"), ["faces/3"]),
        (("train", "--resume", "l"), ["last"]),
        (("train", "--init-from", "f"), ["faces"]),
        (("sample", ""), ["digits", "faces"]),
        (("sample", "faces:"), ["faces:1", "faces:2"]),
        (("eval", "faces", "faces@"), ["faces@champion"]),
        (("serve", "di"), ["digits"]),
        (("export", "nothing"), []),
        (("registry", "show", "fac"), ["faces"]),
        (("registry", "log", ""), ["digits", "faces"]),
        (("registry", "gr"), []),
        (("runs", "show", "faces"), ["faces/3"]),
    ],
)
def test_names_are_completed(words: tuple[str, ...], found: list[str]) -> None:
    assert completed(*words) == found


def test_the_registry_that_is_typed_is_looked_into(tmp_path: Path) -> None:
    Registry(tmp_path / "other").register("cats", {}, {})
    assert completed("sample", "--registry", str(tmp_path / "other"), "") == ["cats"]


def test_where_nothing_can_be_read_nothing_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "registry/models/faces/versions/1").write_text("?")
    assert completed("sample", "faces:") == ["faces:2"]
    monkeypatch.setenv("GANZOO_REGISTRY", os.devnull)
    assert completed("sample", "") == []
    assert capsys.readouterr() == ("", "")


ASK = """
eval "$(_GANZOO_COMPLETE=bash_source {program})"
COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:@'
COMP_LINE={line}
COMP_POINT={point}
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_ganzoo_completion {program}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@pytest.mark.parametrize(
    ("line", "words", "found"),
    [
        ("sample fa", "sample fa", ["faces"]),
        ("sample faces:", "sample faces :", ["1", "2"]),
        ("sample faces:2", "sample faces : 2", ["2"]),
        ("sample faces@ch", "sample faces @ ch", ["champion"]),
        ("train --model=big", "train --model = big", ["biggan"]),
        ("registry show ", "registry show ''", ["digits", "faces"]),
        ("eval é fa|ces -n 3", "eval é fa", ["faces"]),
    ],
)
def test_bash_is_given_what_it_puts_in_the_place_of_its_own_word(
    line: str, words: str, found: list[str], tmp_path: Path
) -> None:
    """It takes ``faces:2`` for three words; ``|`` is where the cursor is, which counts in characters."""
    program = tmp_path / "ganzoo"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ganzoo "$@"\n')
    program.chmod(0o755)
    before, _, behind = f"ganzoo {line}".partition("|")
    script = ASK.format(program=program, line=shlex.quote(before + behind), point=len(before), words=f"ganzoo {words}")
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    command = ["bash", "--norc", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == found
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ganzoo sample fa", (["sample"], "fa")),
        ("ganzoo sample ", (["sample"], "")),
        ("ganzoo sample -o 'my ", (["sample", "-o"], "my ")),
    ],
)
def test_the_word_that_is_begun(line: str, words: tuple[list[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    assert Bash(cli, {}, "ganzoo", "_GANZOO_COMPLETE").get_completion_args() == words
