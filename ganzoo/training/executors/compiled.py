"""``Compiled``: the executor that runs phases by ``torch.compile``."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import cast

import torch
from torch import Tensor

from ganzoo.training.batch import Batch
from ganzoo.training.executors.eager import Executor
from ganzoo.training.objective import Network, Objective, Phase, Told
from ganzoo.training.optimization import Optimization
from ganzoo.training.ranks import Ranks

VARIANTS = 64
"""Most times that a function is compiled anew: no recipe needs more, and more would mean that something else varies."""


class Compiled(Executor):
    """Compiles two functions: a phase's loss together with its backward passes, and the generator.

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
            # An earlier run's graphs of the same function would count against the limit of recompilations.
            torch._C._dynamo.eval_frame.reset_code(function.__code__)
        # Each set of due penalties is a variant, and so are gradients that are added to those of another part.
        compiled = partial(torch.compile, backend=backend, fullgraph=True, dynamic=False, recompile_limit=VARIANTS)
        self._generate = cast(Callable[[Batch], Tensor], compiled(objective.generate))
        self._gradients = cast(Callable[[Phase, Batch, Tensor, Tensor | None], Told], compiled(objective.gradients))

    def generate(self, batch: Batch, *, graph: bool) -> Tensor:
        """See ``Executor.generate``."""
        with torch.set_grad_enabled(graph), _switches():
            return self._generate(batch)

    def gradients(self, phase: Phase, batch: Batch, fake: Tensor, scale: Tensor | None) -> Told:
        """See ``Objective.gradients``."""
        with _switches():
            return self._gradients(phase, batch, fake, scale)


@contextmanager
def _switches() -> Iterator[None]:
    """Set torch's process-wide switches for one call (50 us), which may compile, instead of for good.

    With them, networks that draw random numbers draw the same as in an eager run.
    """
    with torch._dynamo.config.patch(trace_autograd_ops=True), torch._inductor.config.patch(fallback_random=True):
        yield
