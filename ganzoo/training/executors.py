"""How a phase is run: as it is, compiled, or (``cudagraph``) captured. Each does the same to the networks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
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


VARIANTS = 64
"""Of a phase that may be compiled: more are needed for no recipe, and would mean that something else varies."""


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

    def generate(self, batch: Batch, *, graph: bool) -> Tensor:
        """See ``Objective.generate``; with the graph that the generator learns by, or without."""
        with torch.set_grad_enabled(graph):
            return self.objective.generate(batch)

    def gradients(self, phase: Phase, batch: Batch, fake: Tensor, scale: Tensor | None) -> Logged:
        """See ``Objective.gradients``."""
        return self.objective.gradients(phase, batch, fake, scale)

    def learn(self, phase: Phase, batch: Batch, images: Tensor | None, scale: Tensor | None) -> Logged:
        """Add the gradient of the phase's loss, times ``scale`` if there is one, to its network's ``.grad``.

        The graph is cut at the images: the critic's phase ends there, and in the generator's what the critic says of
        them is one backward pass, and what made them another.

        Args:
            images: of ``generate``, with their graph if the generator learns; None: they are made now.
        """
        generates = phase.network == "generator"
        if images is None:
            images = self.generate(batch, graph=generates)
        fake = images.detach().requires_grad_(generates)
        logged = self.gradients(phase, batch, fake, scale)
        if generates:
            images.backward(fake.grad)  # type: ignore[no-untyped-call]
        return logged

    def update(self, phase: Phase, parts: Sequence[Batch], images: Tensor | None = None) -> list[Logged]:
        """Forward, backward, average over ranks, optimizer.

        Args:
            images: of the only part, see ``learn``.
        """
        optimization = self.optimizations[phase.network]
        optimization.clear()
        scale = optimization.scale
        logged = [self.learn(phase, part, images, scale) for part in parts]
        optimization.average(self.ranks, len(parts))
        optimization.step()
        return logged


class Compiled(Executor):
    """What the critic does in a phase in one compiled function, its backward passes inside; and the generator.

    Compiled alone, a critic cannot be differentiated twice, so a penalty would have no gradient; traced as a whole, the
    double backward becomes a plain part of the graph. The generator is differentiated once, which a compiled function
    can be. The optimizer stays outside, where a fused kernel does its work.
    """

    def __init__(
        self,
        objective: Objective,
        optimizations: Mapping[Network, Optimization],
        ranks: Ranks,
        backend: str = "inductor",
    ) -> None:
        super().__init__(objective, optimizations, ranks)
        for function in (Objective.generate, Objective.gradients):
            # A former run's graphs of the same function would count against the limit of recompilations.
            torch._C._dynamo.eval_frame.reset_code(function.__code__)
        # A variant for each set of due penalties, and for gradients that are added to others'.
        compiled = partial(torch.compile, backend=backend, fullgraph=True, dynamic=False, recompile_limit=VARIANTS)
        self._generate = cast(Callable[[Batch], Tensor], compiled(objective.generate))
        self._gradients = cast(Callable[[Phase, Batch, Tensor, Tensor | None], Logged], compiled(objective.gradients))

    def generate(self, batch: Batch, *, graph: bool) -> Tensor:
        """See ``Executor.generate``."""
        with torch.set_grad_enabled(graph), _switches():
            return self._generate(batch)

    def gradients(self, phase: Phase, batch: Batch, fake: Tensor, scale: Tensor | None) -> Logged:
        """See ``Objective.gradients``."""
        with _switches():
            return self._gradients(phase, batch, fake, scale)


@contextmanager
def _switches() -> Iterator[None]:
    """Around each call, which may compile, instead of for good: they are switches of the whole process. 50 us.

    Networks that draw random numbers draw those of the eager run.
    """
    with torch._dynamo.config.patch(trace_autograd_ops=True), torch._inductor.config.patch(fallback_random=True):
        yield
