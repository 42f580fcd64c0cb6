"""A whole training on two ranks: who writes, and what happens when torchrun has lost one of them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from ganzoo import api
from ganzoo.cli import main
from ganzoo.errors import ExitCode
from ganzoo.training.torchrun import leave
from ganzoo.training.trainer import Trainer
from ganzoo_plugins.own import making

if TYPE_CHECKING:
    from tests.distributed.conftest import Command, Launch, Outcome

STEPS = 30
DEADLY = 17
SETTINGS = {
    "batch": 8,
    "steps": STEPS,
    "options": {"width": 8},
    "device": "cpu",
    "precision": "fp64",
    "checkpoint_every": 10,
    "report_every": 10,
}
PAIRS = [f"{key}={value}" for key, value in SETTINGS.items() if key != "options"] + ["options.width=8"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with 64 images."""
    place = tmp_path_factory.mktemp("home")
    np.save(place / "data.npy", np.random.default_rng(0).integers(0, 256, (64, 8, 8), np.uint8))
    return place


@pytest.fixture(scope="module")
def shared(home: Path, launch: "Launch") -> "list[Outcome]":
    """What each of two ranks says that train together, undisturbed."""
    return launch(2, __file__, str(home), "shared")


def state(home: Path, name: str) -> dict[str, torch.Tensor]:
    """The tensors of a run's last checkpoint."""
    with safe_open(home / "runs" / name / "1/checkpoints" / f"step-{STEPS:08d}.safetensors", framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping


def test_rank_0_alone_writes_and_speaks(home: Path, shared: "list[Outcome]") -> None:
    first, second = shared
    assert first.output.count("registered  shared:1\n") == 1
    assert second.output == ""
    assert second.errors == ""  # where it would have said what it wrote
    assert len((home / "runs/shared/1/metrics.jsonl").read_text().splitlines()) == STEPS // 10


def test_two_ranks_leave_what_one_process_does(home: Path, shared: "list[Outcome]") -> None:
    settings = SETTINGS | {"data": str(home / "data.npy"), "name": "alone"}
    api.train("vanilla", settings=settings, runs=home / "runs", registry=home / "registry", export=False)
    assert not (home / "runs/shared/2").exists()
    one, two = state(home, "alone"), state(home, "shared")
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-9, atol=1e-9)


def test_rank_0_alone_evaluates(home: Path, launch: "Launch") -> None:
    """With an extractor that is built of the training images, which the other rank waits for."""
    first, second = launch(2, __file__, str(home), "evaluated")
    assert first.errors.count("building the extractor own of 52 training images, once\n") == 1
    assert (second.output, second.errors) == ("", "")
    lines = (home / "runs/evaluated/1/evaluations.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [15, 30]
    assert len(list((home.with_name("cache") / "extractors").glob("own-*/*.onnx"))) == 1


def test_what_rank_0_refuses_first_the_others_refuse(home: Path, launch: "Launch") -> None:
    """None of them waits for one that has ended."""
    first, _ = launch(2, __file__, str(home), "unevaluable", codes=(ExitCode.USAGE,) * 2)
    assert first.errors.startswith(f"Error: {home / 'data.npy'} has no held-out images to evaluate by\n")
    assert not (home / "runs/unevaluable").exists()


def test_ranks_that_are_told_different_things_do_not_begin(home: Path, launch: "Launch") -> None:
    """Weights alone would not tell: they are the same whatever the learning rate is."""
    first, second = launch(2, __file__, str(home), "torn", codes=(ExitCode.USAGE,) * 2)
    assert first.errors.startswith("Error: not all ranks were told the same\nHint: all hosts need the same command")
    told = "Error: rank 1 was told something else than rank 0: generator.lr is 0.5, not 0.0002; steps is 31, not 30\n"
    assert second.errors.startswith(told)
    assert not (home / "runs/torn").exists()


def test_a_killed_rank_costs_the_steps_since_the_last_checkpoint(
    home: Path,
    shared: "list[Outcome]",
    side_by_side: "Callable[[list[Command]], list[subprocess.CompletedProcess[str]]]",
    forking: Callable[..., Path],
) -> None:
    """On two hosts, as far as torchrun can tell: both ranks are started again, though only one host saw one die.

    What they come to is the undisturbed training, to the bit.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    meeting = ["--rdzv-backend=c10d", "--rdzv-id=killed", f"--rdzv-endpoint=127.0.0.1:{store.port}"]
    hosts = ["--nnodes=2", "--nproc-per-node=1", *meeting, "--rdzv-conf=is_host=false", "--local-addr=127.0.0.1"]
    python = str(forking(Path(sys.executable)))
    torchrun = [python, "-m", "torch.distributed.run", "--max-restarts=1", "--monitor-interval=0.1", *hosts]
    program = ["--no-python", python, __file__, "", str(home), "killed"]
    agents = side_by_side([([*torchrun, *program], {})] * 2)
    output, errors = ("".join(said) for said in zip(*[(agent.stdout, agent.stderr) for agent in agents], strict=True))
    assert [agent.returncode for agent in agents] == [0, 0], errors
    assert "exitcode: -9" in errors
    assert output.count("registered  killed:1\n") == 1
    assert not (home / "runs/killed/2").exists()
    killed, whole = state(home, "killed"), state(home, "shared")
    assert killed.keys() == whole.keys()
    assert [name for name, value in whole.items() if not torch.equal(killed[name], value)] == []


def watcher(home: Path) -> Callable[[str, tuple[object, ...]], None]:
    """An audit hook that says what below ``home`` is changed."""

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event not in ("open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.utime"):
            return
        path, *_, flags = arguments
        writing = event != "open" or int(str(flags)) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writing and isinstance(path, str | Path) and Path(path).absolute().is_relative_to(home):
            print(f"{event} {path}", file=sys.stderr)

    return watch


def dying(step: Callable[[Trainer], None]) -> Callable[[Trainer], None]:
    """A step that kills its process when it is its turn."""

    def stepped(trainer: Trainer) -> None:
        if trainer.steps_done == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
        step(trainer)

    return stepped


def run(home: Path, name: str) -> int:
    """What one rank does: rank 1 is watched, and killed in its first life if that is the run's name."""
    if os.environ["RANK"] == "1":
        sys.addaudithook(watcher(home))
        if name == "killed" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
            Trainer.step = dying(Trainer.step)  # type: ignore[assignment, method-assign]
    places = ["--data", home / "data.npy", "--runs", home / "runs", "--registry", home / "registry"]
    told = ["steps=31", "generator.lr=0.5", "threads=2"] if name == "torn" and os.environ["RANK"] == "1" else []
    if name == "evaluated":
        os.environ["GANZOO_CACHE"] = str(home.with_name("cache"))
        making.STEPS = 3
        told = ["eval_every=15", "held_out=0.2"]
    if name == "unevaluable":
        told = ["eval_every=15", "held_out=0"]
    settings = [argument for pair in [*PAIRS, *told] for argument in ("--set", pair)]
    export = [] if name == "evaluated" else ["--no-export"]
    arguments = ["--model", "vanilla", "--name", name, *export]
    return main(["train", *arguments, *map(str, places), *settings])


if __name__ == "__main__":
    leave(run(Path(sys.argv[2]), sys.argv[3]))  # as ``python -m ganzoo`` does
