"""The end of the process: a thread that somebody left, a crash, and who is named for an error that nobody expected."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ganzoo.cli.failures import explain
from ganzoo.errors import ExitCode
from ganzoo.zoo import names
from ganzoo.zoo.discovery import Manager, discover
from ganzoo.zoo.names import Zoo

Install = Callable[..., Path]

PROGRAM = """
import sys, threading, time
from ganzoo.cli import leaving, main
leaving.PATIENCE_SECONDS, leaving.LIMIT_SECONDS = 0.2, {limit}
def work():
    while threading.active_count() < 3:  # until the end is watched
        time.sleep(0.01)
    time.sleep({seconds})
    print("the thread has ended", file=sys.stderr)
threading.Thread(target=work, name="uploads", daemon={daemon}).start()
sys.argv = ["ganzoo", "{command}"]
sys.exit(main())
"""
WAITS = "All is done, but a plugin left threads running: uploads; they have {limit:g} seconds to end.\n"


def run(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("command", "code"), [("models", 0), ("model", 2)])
def test_a_thread_that_does_not_end_holds_nobody_up(command: str, code: int) -> None:
    done = run(PROGRAM.format(limit=0.5, seconds=600, daemon=False, command=command))
    assert done.returncode == code
    assert done.stderr.endswith(WAITS.format(limit=0.5))


def test_a_thread_is_given_time() -> None:
    done = run(PROGRAM.format(limit=60, seconds=0.6, daemon=False, command="models"))
    assert (done.returncode, done.stderr) == (0, WAITS.format(limit=60) + "the thread has ended\n")


def test_what_ends_with_the_process_is_not_waited_for() -> None:
    done = run(PROGRAM.format(limit=60, seconds=600, daemon=True, command="models"))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_crash_says_where_it_was() -> None:
    program = "import sys, ctypes, ganzoo.cli, ganzoo.__main__\n"
    program += "def fault(): ctypes.string_at(0)\nganzoo.cli.main = fault\nganzoo.__main__.run()"
    done = run(program)
    assert done.returncode < 0
    assert done.stderr.startswith("Fatal Python error: Segmentation fault\n")
    assert " in fault\n" in done.stderr


FAILING = "import json\ndef fail(error): raise error\ndef read(): return json.loads('{')\n"
GOOD = "from ganzoo import hookimpl\n@hookimpl\ndef ganzoo_report(step): pass\n"


@pytest.mark.parametrize(
    "error",
    [RuntimeError("\x1b[31mred\nand more"), RecursionError("too deep"), FileNotFoundError(2, "No such file", "x")],
    ids=["any", "recursion", "system"],
)
def test_an_error_in_a_plugins_code_names_the_plugin(
    install: Install, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    install("aaa", {"bad": FAILING + GOOD, "good": GOOD})
    zoo = Zoo(Manager(discover({"GANZOO_PLUGINS": "aaa/bad,aaa/good"}), {}))
    monkeypatch.setattr(names, "culprit", zoo.culprit)
    module = sys.modules["aaa_bad"]
    with pytest.raises(type(error)) as caught:
        module.fail(error)
    failure = explain(caught.value)
    assert failure.message.startswith(f"plugin aaa/bad 1.0 fails: {type(error).__name__}: ")
    assert failure.exit_code == ExitCode.PLUGIN
    with pytest.raises(ValueError, match="Expecting property name") as passed:
        module.read()
    assert explain(passed.value).message.startswith("plugin aaa/bad 1.0 fails: JSONDecodeError: ")
    with pytest.raises(type(error)) as ours:
        raise error.with_traceback(None)
    assert "plugin" not in explain(ours.value).message
    assert explain(MemoryError()).message == "there is not enough memory"
