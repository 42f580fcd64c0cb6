"""The table of executors, and which of them a run gets."""

from collections.abc import Mapping

import torch

from ganzoo.config import ExecutorName
from ganzoo.errors import UsageError
from ganzoo.training.executors.compiled import Compiled
from ganzoo.training.executors.cudagraph import CudaGraph
from ganzoo.training.executors.eager import Executor

EXECUTORS: Mapping[ExecutorName, type[Executor]] = {
    ExecutorName.EAGER: Executor,
    ExecutorName.COMPILE: Compiled,
    ExecutorName.CUDAGRAPH: CudaGraph,
}

COMPILE_NEEDS = (2, 13)
"""Oldest torch that may compile: 2.11 traces a penalty's double backward and silently drops it from the gradient."""


def choose_executor(name: ExecutorName, device: torch.device, ranks: int = 1, accumulate: int = 1) -> ExecutorName:
    """The executor that ``name`` means on ``device``.

    ``auto`` is cudagraph on one CUDA device, and eager elsewhere: on CPUs that is as fast, and starts at once.

    Args:
        ranks: processes that share each batch.
        accumulate: parts in which each process computes its share.

    Raises:
        UsageError: the executor cannot run here.
    """
    alone = ranks == 1 and accumulate == 1
    if name == ExecutorName.AUTO:
        return ExecutorName.CUDAGRAPH if device.type == "cuda" and alone else ExecutorName.EAGER
    if name == ExecutorName.CUDAGRAPH and device.type != "cuda":
        raise UsageError(
            f"executor {name.value!r} needs a CUDA device, and this run is on {device}",
            hint="--executor eager, or compile; --executor auto chooses",
        )
    if name == ExecutorName.CUDAGRAPH and not alone:
        raise UsageError(
            f"executor {name.value!r} holds a whole update: it has no place for other ranks or further parts",
            hint="--executor eager with several ranks or with accumulate",
        )
    if name == ExecutorName.COMPILE and _torch_version() < COMPILE_NEEDS:
        raise UsageError(
            f"executor {name.value!r} needs torch {'.'.join(map(str, COMPILE_NEEDS))}, and this is {torch.__version__}",
            hint="pip install --upgrade torch, or --executor eager",
        )
    return name


def _torch_version() -> tuple[int, int]:
    major, minor = torch.__version__.split(".")[:2]
    return int(major), int(minor)
