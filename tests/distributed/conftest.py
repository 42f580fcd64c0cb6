"""Several processes that train together, started as torchrun starts them, on one thread each.

A test module that needs them is also their program: ``launch(2, __file__)`` runs it as a script on two ranks, and
what they compute comes back as safetensors files.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
import torch
from safetensors.torch import load_file
from torch.distributed import TCPStore  # type: ignore[attr-defined]

TIME_LIMIT = 300
"""Seconds after which ranks that wait for each other are given up."""


@dataclass(frozen=True)
class Outcome:
    """What one rank left.

    Args:
        tensors: by name, of the file <its argument>/<rank>.safetensors; empty without one.
    """

    code: int
    output: str
    errors: str
    tensors: dict[str, torch.Tensor]


Command = tuple[list[str], Mapping[str, str]]
"""A program with its arguments, and what is in its environment besides."""

Launch = Callable[..., list[Outcome]]


@pytest.fixture(scope="session")
def side_by_side() -> Callable[[list[Command]], list["subprocess.CompletedProcess[str]"]]:
    """``side_by_side(commands)``: run all at once; none outlives the test."""

    def run(commands: list[Command]) -> list["subprocess.CompletedProcess[str]"]:
        with contextlib.ExitStack() as stack:
            # Not pipes: who waits to be read lets all the others wait.
            files = [[stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2)] for _ in commands]
            children = [
                stack.enter_context(_child(*command, *streams))
                for command, streams in zip(commands, files, strict=True)
            ]
            codes = [child.wait(TIME_LIMIT) for child in children]
            said = [[stream.seek(0) or stream.read() for stream in streams] for streams in files]
            ended = zip(children, codes, said, strict=True)
            return [subprocess.CompletedProcess(child.args, code, *texts) for child, code, texts in ended]  # type: ignore[arg-type]

    return run


@pytest.fixture(scope="session")
def launch(forking: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory, side_by_side: Any) -> Launch:
    """``launch(ranks, program, *arguments)``: run ``python program <directory for files> *arguments`` on each rank.

    Args:
        codes: the exit code of each rank; all 0 unless said otherwise.
    """

    def run(ranks: int, program: str, *arguments: str, codes: tuple[int, ...] = ()) -> list[Outcome]:
        home = tmp_path_factory.mktemp("ranks")
        # As torchrun's agent does, this process keeps the store that they meet at: on a port that is free, for sure.
        store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        command = [str(forking(Path(sys.executable))), program, str(home), *arguments]
        ended = side_by_side([(command, _torchruns(rank, ranks, store.port)) for rank in range(ranks)])
        outcomes = []
        for rank, each in enumerate(ended):
            path = home / f"{rank}.safetensors"
            outcomes.append(
                Outcome(each.returncode, each.stdout, each.stderr, load_file(path) if path.exists() else {})
            )
        failures = "\n".join(outcome.errors for outcome in outcomes)
        assert tuple(outcome.code for outcome in outcomes) == (codes or (0,) * ranks), failures
        return outcomes

    return run


def _torchruns(rank: int, ranks: int, port: int) -> dict[str, str]:
    """What torchrun sets."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(ranks),
        "LOCAL_WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
    }


@contextlib.contextmanager
def _child(
    command: list[str], variables: Mapping[str, str], output: IO[str], errors: IO[str]
) -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, **variables}
    with subprocess.Popen(command, env=environment, text=True, stdout=output, stderr=errors) as child:
        try:
            yield child
        finally:
            child.terminate()  # torchrun ends its processes then, and not if it is killed
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(40)
            child.kill()
