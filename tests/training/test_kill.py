"""kill -9 at random moments: no checkpoint is ever unreadable, and what goes on is the run that nobody killed."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from ganzoo.errors import GanzooError
from ganzoo.pipeline.lineage import CLOCKED
from ganzoo.records.run import Run
from ganzoo.training import checkpoint

KILLS = max(8, settings().max_examples // 20)
"""8, and with ``--full`` 100."""

STEPS = 60

# Forks a process for each line of arguments, with all imports done: those would take most of the time.
SERVER = """
import json, os, sys, torch
from ganzoo.cli import main
answers = open(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_RDWR), 1)
assert main(json.loads(sys.stdin.readline())) == 0
for line in sys.stdin:
    child = os.fork()
    if not child:
        os._exit(main(json.loads(line)))
    print(child, file=answers, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
"""

Train = Callable[..., int]


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Train]:
    """``train(arguments, kill_after=seconds)``: exit code of a training process; without the time it is left alone."""
    monkeypatch.chdir(tmp_path)
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context((tmp_path / "errors").open("w"))
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
        server = stack.enter_context(subprocess.Popen([sys.executable, "-c", SERVER], text=True, **pipes))
        print(json.dumps([*start("none"), "--dry-run"]), file=server.stdin, flush=True)
        yield partial(ask, server)


def ask(server: "subprocess.Popen[str]", arguments: list[str], kill_after: float | None = None) -> int:
    assert server.stdin is not None
    assert server.stdout is not None
    print(json.dumps(arguments), file=server.stdin, flush=True)
    child = int(server.stdout.readline())
    if kill_after is not None:
        time.sleep(kill_after)
        with contextlib.suppress(ProcessLookupError):  # it was faster
            os.kill(child, signal.SIGKILL)
    return int(server.stdout.readline())


def start(name: str) -> list[str]:
    keys = ["options.width=8", "batch=8", "checkpoint_every=2", "report_every=3", "preview_every=20", "device=cpu"]
    pairs = [argument for key in keys for argument in ("--set", key)]
    return ["train", "--model", "vanilla", "--name", name, "--steps", str(STEPS), "--no-export", *pairs]


def found(name: str) -> Run | None:
    """The run of that name, unless it was killed before it was one."""
    for directory in sorted(Path("runs", name).glob("*"), reverse=True):
        with contextlib.suppress(GanzooError):
            return Run.find(str(directory), Path("runs"))
    return None


def left_behind(name: str) -> tuple[bytes, list[dict[str, float]]]:
    """What a finished run leaves that another one can be compared by."""
    run = found(name)
    assert run is not None
    reports = [{key: value for key, value in line.items() if key not in CLOCKED} for line in run.reports()]
    return run.checkpoint_path(STEPS).read_bytes(), reports


def readable(run: Run) -> int:
    """How many checkpoints it has, each of which is whole."""
    for path in run.checkpoints():
        assert checkpoint.load(path).steps_done == int(path.stem.removeprefix("step-"))
    return len(run.checkpoints())


def test_kill_9(train: Train, tell: Callable[[str], None]) -> None:
    moments = random.Random(0)
    assert train(start("warm")) == 0
    begin = time.monotonic()
    assert train(start("whole")) == 0
    duration = time.monotonic() - begin
    whole = left_behind("whole")

    kills, runs, resumed, checkpoints = 0, 0, 0, 0
    while kills < KILLS:
        runs += 1
        name, code = f"killed-{runs}", -signal.SIGKILL
        while code == -signal.SIGKILL:
            run = found(name)
            arguments = ["train", "--resume", str(run.directory), "--no-export"] if run else start(name)
            code = train(arguments, kill_after=moments.uniform(0, duration))
            if code != -signal.SIGKILL:
                break
            kills += 1
            if run := found(name):
                checkpoints += readable(run)
                resumed += 1
        assert code == 0, Path("errors").read_text()
        assert left_behind(name) == whole
    assert resumed
    tell(
        f"kill -9: {kills} times in {runs} runs, {resumed} of them resumed; {checkpoints} checkpoints looked at after "
        f"a kill, 0 unreadable; all {runs} runs ended equal to the bit to the one that nobody killed"
    )
