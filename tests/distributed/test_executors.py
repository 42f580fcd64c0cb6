"""A compiler that fails on one host: no rank waits for it, and all go on with the eager executor."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ganzoo import api
from ganzoo.config import ExecutorName
from ganzoo.pipeline.draft import draft_new
from ganzoo.pipeline.session import Session
from ganzoo.training import trainer
from ganzoo.training.batch import Batch
from ganzoo.training.executors.eager import Executor
from ganzoo.training.objective import Phase, Told
from ganzoo.training.ranks import joined
from ganzoo.training.torchrun import leave

if TYPE_CHECKING:
    from tests.distributed.conftest import Launch


class Failing(Executor):
    """On rank 1; an eager one that is right elsewhere."""

    def gradients(self, phase: Phase, batch: Batch, fake: torch.Tensor, scale: torch.Tensor | None) -> Told:
        if self.ranks.rank == 1:
            raise RuntimeError("no compiler on this host")
        return super().gradients(phase, batch, fake, scale)


def test_all_ranks_go_on(launch: "Launch") -> None:
    """Of a network whose BatchNorm, in every trial of a phase, waits for the other rank."""
    one, other = launch(2, __file__)
    unused = "executor compile is not used, and eager is: "
    assert one.output.splitlines() == [f"{unused}it fails on another rank", "Executor 1"]
    assert other.output.splitlines() == [f"{unused}RuntimeError: no compiler on this host", "Executor 1"]


def main(home: str) -> None:
    """What each rank does."""
    trainer.EXECUTORS = {ExecutorName.COMPILE: Failing}  # type: ignore[attr-defined]
    small = {"options": {"width": 8}, "batch": 8, "device": "cpu", "precision": "fp32", "executor": "compile"}
    with joined("cpu") as ranks:
        store = api.open_registry(Path(home) / "registry")
        made = Session(store, Path(home) / "runs", ranks=ranks).plan(draft_new(store, "dcgan", small)).trainer
        made.prepare(print)
        made.step()
        print(type(made._executor).__name__, made.steps_done)


if __name__ == "__main__":
    main(sys.argv[1])
    leave(0)
