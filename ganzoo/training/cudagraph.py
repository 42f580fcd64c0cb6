"""Whole updates as CUDA graphs: hundreds of kernels launched by one call, with no Python between them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ganzoo.training.batch import Batch
from ganzoo.training.executors import Executor, Logged
from ganzoo.training.objective import Network, Objective, Phase
from ganzoo.training.optimization import Optimization
from ganzoo.training.ranks import Ranks
from ganzoo.training.selftest import unmoved

WARM_UPS = 3
"""Runs before a capture, in which cuDNN chooses its algorithms and the optimizer makes its state."""


@dataclass(frozen=True)
class Captured:
    """One phase's graph with the memory that it reads and writes.

    Args:
        batch, scale: what is replaced before each replay.
        logged: what each replay overwrites; whoever wants to keep it adds it up on the device.
        gradients: by place in ``Optimization.weights``: each graph has its own.
    """

    graph: torch.cuda.CUDAGraph
    batch: Batch
    scale: Tensor | None
    logged: Logged
    gradients: list[Tensor | None]


class CudaGraph(Executor):
    """One captured graph a phase (critic, critic with lazy penalties, generator), in one memory pool.

    A graph records kernels and not autograd's tape, so a penalty's double backward is captured like anything else. It
    holds the optimizer's step, too, unless a loss scale has to be decided on. Learning rate and inputs are tensors
    that the graph reads; nothing in it waits for the host.
    """

    def __init__(self, objective: Objective, optimizations: Mapping[Network, Optimization], ranks: Ranks) -> None:
        super().__init__(objective, optimizations, ranks)
        self._pool = torch.cuda.graph_pool_handle()
        self._captured: dict[tuple[Phase, bool], Captured] = {}

    def update(self, phase: Phase, parts: Sequence[Batch]) -> list[Logged]:
        """See ``Executor.update``; there is one part."""
        (batch,) = parts
        optimization = self.optimizations[phase.network]
        captured = self._replay(phase, batch, optimization.scale)
        if not optimization.in_graph:
            optimization.step()
        return [captured.logged]

    def gradients(self, phase: Phase, batch: Batch, scale: Tensor | None) -> Logged:
        """See ``Objective.gradients``; for the self-test, so what the optimizer did is put back, and only that."""
        with _unmoved(self.optimizations[phase.network]):
            return self._replay(phase, batch, scale).logged

    def _replay(self, phase: Phase, batch: Batch, scale: Tensor | None) -> Captured:
        key = (phase, batch.real is not None)
        if key not in self._captured:
            self._captured[key] = self._capture(phase, batch)
        captured = self._captured[key]
        captured.batch.copy_(batch)
        if captured.scale is not None:
            captured.scale.fill_(1.0 if scale is None else scale)
        captured.graph.replay()
        for weight, gradient in zip(self.optimizations[phase.network].weights, captured.gradients, strict=True):
            weight.grad = gradient
        return captured

    def _capture(self, phase: Phase, batch: Batch) -> Captured:
        optimization = self.optimizations[phase.network]
        static = batch.map(torch.clone)
        scale = torch.ones((), device=batch.z.device) if self.objective.precision.scaled else None

        def run() -> Logged:
            logged = self.objective.gradients(phase, static, scale)
            if optimization.in_graph:
                optimization.step()
            return logged

        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with unmoved(self.objective), _unmoved(optimization):
            try:
                with torch.cuda.stream(aside):
                    for _ in range(WARM_UPS):
                        optimization.clear()
                        run()
            finally:  # putting back must not overtake what still runs aside
                torch.cuda.current_stream().wait_stream(aside)
            optimization.clear()  # so that the backward pass writes gradients of its own instead of adding to others
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool):
                logged = run()
            gradients = [weight.grad for weight in optimization.weights]
        return Captured(graph, static, scale, logged, gradients)


@contextmanager
def _unmoved(optimization: Optimization) -> Iterator[None]:
    """Put weights and Adam's state back in place, where a graph looks for them; state made meanwhile becomes zero."""
    weights = [(weight, weight.detach().clone()) for weight in optimization.weights]
    before = {
        (weight, key): value.clone()
        for weight, state in optimization.adam.state.items()
        for key, value in state.items()
    }
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, kept in weights:
                weight.copy_(kept)
        for adapted, state in optimization.adam.state.items():
            for key, value in state.items():
                value.copy_(before[adapted, key]) if (adapted, key) in before else value.zero_()
