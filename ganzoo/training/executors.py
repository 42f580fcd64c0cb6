"""How a phase is run: as it is, compiled, or (``cudagraph``) captured. Each does the same to the networks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, cast

import torch
from torch import Tensor

from ganzoo.errors import UsageError
from ganzoo.training.batch import Batch
from ganzoo.training.objective import Network, Objective, Phase
from ganzoo.training.optimization import Optimization
from ganzoo.training.ranks import Ranks

ExecutorName = Literal["eager", "compile", "cudagraph"]
Logged = tuple[Tensor, dict[str, Tensor]]
"""A phase's loss, and what was logged."""

COMPILE_NEEDS = (2, 13)
"""torch 2.11 traces a penalty's double backward and silently drops it from the gradient."""


def choose_executor(name: str, device: torch.device, ranks: int = 1, accumulate: int = 1) -> ExecutorName:
    """``auto`` is ``cudagraph`` on one CUDA device, and ``eager`` elsewhere: on CPUs it is as fast, and starts at once.

    Raises:
        UsageError: the executor cannot run here.
    """
    alone = ranks == 1 and accumulate == 1
    if name == "auto":
        return "cudagraph" if device.type == "cuda" and alone else "eager"
    if name == "cudagraph" and device.type != "cuda":
        raise UsageError(
            f"executor 'cudagraph' needs a CUDA device, and this run is on {device}",
            hint="--executor eager, or compile; --executor auto chooses",
        )
    if name == "cudagraph" and not alone:
        raise UsageError(
            "executor 'cudagraph' holds a whole update, without a place for other ranks' gradients or further parts",
            hint="--executor eager with several ranks or with accumulate",
        )
    if name == "compile" and _torch_version() < COMPILE_NEEDS:
        raise UsageError(
            f"executor 'compile' needs torch {'.'.join(map(str, COMPILE_NEEDS))}, and this is {torch.__version__}",
            hint="pip install --upgrade torch, or --executor eager",
        )
    return cast(ExecutorName, name)


def _torch_version() -> tuple[int, int]:
    major, minor = torch.__version__.split(".")[:2]
    return int(major), int(minor)


class Executor:
    """Runs updates eagerly: the reference that the others are tested against.

    Args:
        optimizations: by network.
        ranks: whom gradients are averaged with.
    """

    def __init__(self, objective: Objective, optimizations: Mapping[Network, Optimization], ranks: Ranks) -> None:
        self.objective = objective
        self.optimizations = optimizations
        self.ranks = ranks

    def gradients(self, phase: Phase, batch: Batch, scale: Tensor | None) -> Logged:
        """See ``Objective.gradients``."""
        return self.objective.gradients(phase, batch, scale)

    def update(self, phase: Phase, parts: Sequence[Batch]) -> list[Logged]:
        """Forward, backward, average over ranks, optimizer."""
        optimization = self.optimizations[phase.network]
        optimization.clear()
        scale = optimization.scale
        logged = [self.gradients(phase, part, scale) for part in parts]
        optimization.average(self.ranks, len(parts))
        optimization.step()
        return logged


class Compiled(Executor):
    """The phase in one compiled function, its backward passes inside.

    Compiled alone, a critic cannot be differentiated twice, so a penalty would have no gradient; traced as a whole, the
    double backward becomes a plain part of the graph. The optimizer stays outside, where a fused kernel does its work.
    """

    def __init__(
        self,
        objective: Objective,
        optimizations: Mapping[Network, Optimization],
        ranks: Ranks,
        backend: str = "inductor",
    ) -> None:
        super().__init__(objective, optimizations, ranks)
        # A former run's graphs of the same function would count against the limit of recompilations.
        torch._C._dynamo.eval_frame.reset_code(Objective.gradients.__code__)
        compiled = torch.compile(objective.gradients, backend=backend, fullgraph=True, dynamic=False)
        self._compiled = cast(Callable[[Phase, Batch, Tensor | None], Logged], compiled)

    def gradients(self, phase: Phase, batch: Batch, scale: Tensor | None) -> Logged:
        """See ``Objective.gradients``."""
        # Around each call, which may compile, instead of for good: they are switches of the whole process. 50 us.
        # Networks that draw random numbers draw those of the eager run.
        with (
            torch._dynamo.config.patch(trace_autograd_ops=True),
            torch._inductor.config.patch(fallback_random=True),
        ):
            return self._compiled(phase, batch, scale)
