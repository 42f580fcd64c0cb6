"""The frame around every command: help, unknown words, errors in two lines, exit codes."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from ganzoo.cli import COMMANDS, cli, main
from ganzoo.cli.tables import table
from ganzoo.errors import ExitCode, GanzooError, IntegrityError
from ganzoo.version import __version__
from ganzoo_registry import RegistryError

SUBCOMMANDS = ["models show", *(f"registry {name}" for name in ("ls", "show", "alias", "log", "path", "rm"))]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANZOO_DEBUG", raising=False)


@pytest.mark.parametrize("command", ["", *COMMANDS, *SUBCOMMANDS])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(command: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), option]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"Usage: ganzoo {command}".rstrip() + " ")
    assert err == ""


def test_the_table_and_the_commands_agree(capsys: pytest.CaptureFixture[str]) -> None:
    context = click.Context(cli)
    assert cli.list_commands(context) == list(COMMANDS)
    for name, (_, help_line) in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert command.help
        assert help_line.endswith(".")


def test_help_lists_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in COMMANDS)
    words = " ".join(out.split())
    assert all(f" {int(code)} " in words for code in ExitCode)


def test_no_command_is_a_call_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    bare = capsys.readouterr().out
    main(["--help"])
    assert bare == capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ganzoo {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["trian"], "no such command: ganzoo trian", "did you mean 'train'?"),
        (["registry", "lss"], "no such command: ganzoo registry lss", "did you mean 'ls'?"),
        (["models", "xyzzy"], "no such command: ganzoo models xyzzy", "to see it: ganzoo models show xyzzy"),
        (["--vresion"], "no such option: --vresion", "did you mean --version?"),
        (["sample", "x", "--sede", "7"], "no such option: --sede", "did you mean --seed?"),
        (["sample", "x", "--xyzzy"], "no such option: --xyzzy", "see: ganzoo sample --help"),
        (
            ["sample", "x", "-n", "0"],
            "invalid value for '-n': 0 is not in the range x>=1",
            "see: ganzoo sample --help",
        ),
        (["sample", "x", "--seed", "-1"], None, "see: ganzoo sample --help"),
        (["sample"], "missing argument 'REFERENCE|FILE.onnx'", "see: ganzoo sample --help"),
        (["serve", "x", "--port", "70000"], None, "see: ganzoo serve --help"),
        (["export"], "missing argument 'REFERENCE'", "see: ganzoo export --help"),
        (["registry"], "missing command", "see: ganzoo registry --help"),
        (["registry", "ls", "--registry"], "option '--registry' requires an argument", "see: ganzoo --help"),
        (["registry", "alias", "a:1", "b", "--expect", "x"], None, "see: ganzoo registry alias --help"),
    ],
)
def test_wrong_usage(arguments: list[str], error: str | None, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("Error: ")
    assert error is None or first == f"Error: {error}"
    assert second == f"Hint: {hint}"


def fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def raising() -> None:
        raise error

    monkeypatch.setitem(cli.table, "boom", ("nowhere:command", "Fails."))
    command = click.Command("boom", callback=raising)
    original = cli.get_command
    monkeypatch.setattr(
        cli, "get_command", lambda context, name: command if name == "boom" else original(context, name)
    )


@pytest.mark.parametrize(
    ("error", "lines", "code"),
    [
        (GanzooError("it broke", hint="mend it"), ["Error: it broke", "Hint: mend it"], 1),
        (IntegrityError("changed"), ["Error: changed"], 4),
        (RegistryError("no room", hint="make some"), ["Error: no room", "Hint: make some"], 1),
        (
            OSError(errno.ENOSPC, "No space left on device", "runs/x"),
            ["Error: runs/x: no space left on device", "Hint: free some space, or write to another disk"],
            1,
        ),
        (OSError(errno.EIO, "Input/output error"), ["Error: input/output error"], 1),
        (
            ZeroDivisionError("division\nby zero"),
            [
                "Error: unexpected ZeroDivisionError: division by zero",
                "Hint: this is a bug in ganzoo or in a plugin; GANZOO_DEBUG=1 shows where",
            ],
            1,
        ),
        (
            ModuleNotFoundError("No module named 'left_pad'", name="left_pad"),
            [
                "Error: unexpected ModuleNotFoundError: No module named 'left_pad'",
                "Hint: this is a bug in ganzoo or in a plugin; GANZOO_DEBUG=1 shows where",
            ],
            1,
        ),
        (KeyboardInterrupt(), ["", "Error: interrupted"], 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_errors(
    error: BaseException,
    lines: list[str],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fail_with(monkeypatch, error)
    assert main(["boom"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == lines


def test_a_traceback_for_who_asks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fail_with(monkeypatch, GanzooError("it broke"))
    monkeypatch.setenv("GANZOO_DEBUG", "1")
    assert main(["boom"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):")
    assert "in raising" in err
    assert err.splitlines()[-1] == "Error: it broke"


def test_what_a_command_returns_is_the_exit_code_if_it_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    command = click.Command("boom", callback=lambda: ExitCode.STOPPED)
    monkeypatch.setattr(cli, "get_command", lambda context, name: command)
    assert main(["models"]) == 75
    command.callback = lambda: "a result"
    assert main(["models"]) == 0


def test_completion_knows_names_and_options() -> None:
    complete = ShellComplete(cli, {}, "ganzoo", "_GANZOO_COMPLETE")
    assert [item.value for item in complete.get_completions([], "re")] == ["registry", "report"]
    assert "--version" in [item.value for item in complete.get_completions([], "--")]
    assert [item.value for item in complete.get_completions(["registry"], "l")] == ["log", "ls"]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completions(shell: str, encoding: str) -> None:
    word = "re" if shell == "fish" else "1"
    given = {"COMP_WORDS": "ganzoo re", "COMP_CWORD": word, "PYTHONIOENCODING": encoding}
    for asked, wanted in (("source", ["_GANZOO_COMPLETE"]), ("complete", ["registry", "report"])):
        done = subprocess.run(
            [sys.executable, "-m", "ganzoo"],
            env=os.environ | given | {"_GANZOO_COMPLETE": f"{shell}_{asked}"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert all(each in done.stdout for each in wanted)
        assert done.stderr == ""


def test_python_m_ganzoo() -> None:
    done = subprocess.run([sys.executable, "-m", "ganzoo", "nope"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: no such command: ganzoo nope\n")


def test_a_closed_pipe_is_no_news() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "ganzoo", "models"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 0  # the reader has what it wanted, and what was to be done is done


def test_tables_are_aligned_and_have_no_trailing_blanks() -> None:
    assert table(("A", "LONG"), [("aaa", 1), ("b", "")]) == "A    LONG\naaa  1\nb"
    assert table(("A", "B"), []) == "A  B"


EMPTY = [
    *(
        ["train", "--model", "vanilla", name, ""]
        for name in ("--resume", "--init-from", "--name", "--augment", "--best")
    ),
    ["train", "--model=", "--dry-run"],
    ["sample", "net", "--label", ""],
    ["sample", ""],
    ["eval", "net", "--features", ""],
    ["eval", "--compare", "a", ""],
    ["registry", "ls", ""],
    ["registry", "alias", "net", ""],
    ["models", "show", ""],
    ["serve", "=net.onnx"],
]


@pytest.mark.parametrize("arguments", EMPTY, ids=" ".join)
def test_a_variable_that_was_never_set_is_not_taken_for_none(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--resume "$RUN"`` would begin another training, and ``--init-from "$BEST"`` one from nothing."""
    monkeypatch.setenv("GANZOO_REGISTRY", str(tmp_path))
    assert main(arguments) == ExitCode.USAGE
    assert re.match(r"Error: \S*: (nothing is given|no name before the =)\n", capsys.readouterr().err)


def test_an_option_whose_value_may_be_left_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["registry", "ls", "net", "--sort", "--registry", str(tmp_path)]) == ExitCode.NOT_FOUND
