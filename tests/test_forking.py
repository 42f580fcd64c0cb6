"""A forked program is as good as a fresh one: it has what it was started with, and ends as it ends."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = """
import json, os, sys
print(json.dumps([__name__, sys.argv[1:], os.getcwd(), os.environ["OF_THE_TEST"], sys.stdin.read()]))
print("said", file=sys.stderr)
end = sys.argv[1]
os.kill(os.getpid(), int(end[1:])) if end[0] == "-" else sys.exit(int(end))
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path / "program.py"


@pytest.mark.parametrize("code", [0, 3, -signal.SIGTERM, -signal.SIGKILL])
def test_it_has_what_it_was_started_with_and_ends_as_it_ends(
    code: int, program: Path, forking: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_TEST", "été")
    command = [str(forking(Path(sys.executable))), str(program), str(int(code)), "two words"]
    done = subprocess.run(command, cwd=program.parent, input="typed", capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr == "said\n"
    if code >= 0:  # a signal leaves what was not written yet
        started = ["__main__", [str(code), "two words"], str(program.parent), "été", "typed"]
        assert json.loads(done.stdout) == started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_reaches_it(number: signal.Signals, tmp_path: Path, forking: Callable[[Path], Path]) -> None:
    """Whatever ends the one that was started ends what it stands for, which closes its output."""
    (tmp_path / "waits.py").write_text("import sys, time\nprint('there', flush=True)\ntime.sleep(600)\n")
    command = [forking(Path(sys.executable)), tmp_path / "waits.py"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"
        child.send_signal(number)
        assert child.communicate(timeout=60)[0] == ""
    assert child.returncode == -number
