"""Whole updates as CUDA graphs: hundreds of kernels launched by one call, with no Python between them."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ganzoo.training.batch import Batch
from ganzoo.training.executors.eager import Executor
from ganzoo.training.executors.unmoved import buffers, unmoved
from ganzoo.training.objective import Network, Objective, Phase, Told
from ganzoo.training.optimization import Optimization
from ganzoo.training.ranks import Ranks

WARM_UPS = 3
"""Runs before a capture, in which cuDNN chooses its algorithms and the optimizer makes its state."""


@dataclass(frozen=True)
class Made:
    """The graph that makes images, with the memory that it reads and writes.

    Args:
        batch: the inputs, replaced before each replay.
        images: the outputs, overwritten by each replay.
    """

    graph: torch.cuda.CUDAGraph
    batch: Batch
    images: Tensor

    def replay(self, batch: Batch) -> Tensor:
        """The images of ``batch``."""
        self.batch.copy_(batch)
        self.graph.replay()
        return self.images


@dataclass(frozen=True)
class Captured:
    """One phase's graph with the memory that it reads and writes.

    Args:
        batch, fake, scale: the inputs, replaced before each replay; without ``fake`` the graph reads the images where
            they were made, and the batch that they were made from is in place already.
        told: the outputs, overwritten by each replay; to keep them, add them up on the device.
        gradients: this graph's own, in the order of ``Optimization.weights``.
    """

    graph: torch.cuda.CUDAGraph
    batch: Batch
    fake: Tensor | None
    scale: Tensor | None
    told: Told
    gradients: list[Tensor | None]

    def replay(self, batch: Batch, images: Tensor, scale: Tensor | None) -> None:
        """Run the phase with other inputs."""
        if self.fake is not None:
            self.batch.copy_(batch)
            self.fake.copy_(images.detach(), non_blocking=True)  # else their tape would record each copy
        if self.scale is not None:
            self.scale.fill_(1.0 if scale is None else scale)
        self.graph.replay()


class CudaGraph(Executor):
    """One captured graph a phase (critic, critic with lazy penalties, generator), and one that makes images.

    A graph records kernels and not autograd's tape, so a penalty's double backward is captured like anything else. It
    holds the optimizer's step, too, unless a loss scale has to be decided on. Learning rate and inputs are tensors
    that the graph reads; nothing in it waits for the host.

    All graphs share one memory pool, and those captured later reuse what earlier ones have freed. But activations that
    the generator's phase needs are made before the critic's phase, and must outlive it. So the two graphs that make and
    use them are captured first, and the tape that holds them is kept.
    """

    def __init__(self, objective: Objective, optimizations: Mapping[Network, Optimization], ranks: Ranks) -> None:
        super().__init__(objective, optimizations, ranks)
        self._pool = torch.cuda.graph_pool_handle()
        # One stream for each purpose, because cuBLAS keeps a workspace for every stream that it ever worked on.
        self._aside, self._capturing = torch.cuda.Stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        # With several kinds of update the tape of the generator's images must outlive each of them, and refuses its
        # backward pass once a weight was written to.
        self._held: dict[Network, bool] = {
            network: each.in_graph and (network == "discriminator" or len(objective.phases(network)) == 1)
            for network, each in optimizations.items()
        }
        self._made: dict[bool, Made] = {}
        self._captured: dict[Phase, Captured] = {}

    def generate(self, batch: Batch, *, graph: bool) -> Tensor:
        """See ``Executor.generate``; the next call overwrites the images."""
        self._begin(batch)
        if graph not in self._made:
            self._made[graph] = self._capture_images(batch)
        return self._made[graph].replay(batch)

    def learn(self, phase: Phase, batch: Batch, images: Tensor | None, scale: Tensor | None) -> Told:
        """See ``Executor.learn``; for the self-test alone, so only what the optimizer did is put back."""
        with self.optimizations[phase.network].unmoved():
            return self._replay(phase, batch, images, scale)

    def update(self, phase: Phase, parts: Sequence[Batch], images: Tensor | None = None) -> list[Told]:
        """See ``Executor.update``; there is one part."""
        (batch,) = parts
        optimization = self.optimizations[phase.network]
        told = self._replay(phase, batch, images, optimization.scale)
        if not self._held[phase.network]:
            optimization.step()
        return [told]

    def _replay(self, phase: Phase, batch: Batch, images: Tensor | None, scale: Tensor | None) -> Told:
        if images is None:
            images = self.generate(batch, graph=phase.network == "generator")
        if phase not in self._captured:
            self._captured[phase] = self._capture_critic(phase, batch, images)
        captured = self._captured[phase]
        captured.replay(batch, images, scale)
        for weight, gradient in zip(self.optimizations[phase.network].weights, captured.gradients, strict=True):
            weight.grad = gradient
        return captured.told

    def _begin(self, batch: Batch) -> None:
        """Capture what must be captured first: the generator's images, and how it learns from them.

        This is done whatever phase comes first, so the critic is frozen meanwhile.
        """
        if self._captured:
            return
        optimization = self.optimizations["generator"]
        static, scale = batch.map(torch.clone), self._scale()

        def learn(phase: Phase, images: Tensor) -> Told:
            fake = images.detach().requires_grad_(True)
            told = self.objective.gradients(phase, static, fake, scale)
            if fake.grad is not None:
                images.backward(fake.grad, retain_graph=True)  # type: ignore[no-untyped-call]
            if self._held["generator"]:
                optimization.step()
            return told

        phases = self.objective.phases("generator")
        with unmoved(self.objective), optimization.unmoved(), _frozen(self.optimizations["discriminator"]):
            for phase in phases:
                self._warm_up(partial(self._learn_anew, learn, phase, static), optimization)
            with self._capture() as first:
                images = self.objective.generate(static)
            self._made[True] = Made(first, static, images)
            # Captured before any weight changes, because the tape of the images would then refuse its backward pass.
            for phase in phases:
                optimization.clear()
                with self._capture() as second:
                    told = learn(phase, images)
                gradients = [weight.grad for weight in optimization.weights]
                self._captured[phase] = Captured(second, static, None, scale, told, gradients)

    def _learn_anew(self, learn: Callable[[Phase, Tensor], Told], phase: Phase, static: Batch) -> None:
        learn(phase, self.objective.generate(static))

    def _capture_images(self, batch: Batch) -> Made:
        static = batch.map(torch.clone)
        with torch.no_grad(), unmoved(self.objective):
            self._warm_up(lambda: self.objective.generate(static))
            with self._capture() as graph:
                images = self.objective.generate(static)
        return Made(graph, static, images)

    def _capture_critic(self, phase: Phase, batch: Batch, images: Tensor) -> Captured:
        optimization = self.optimizations[phase.network]
        static, fake, scale = batch.map(torch.clone), images.detach().clone(), self._scale()

        def learn() -> Told:
            told = self.objective.gradients(phase, static, fake, scale)
            if self._held[phase.network]:
                optimization.step()
            return told

        with unmoved(self.objective), optimization.unmoved():
            self._warm_up(learn, optimization)
            with self._capture() as graph:
                told = learn()
            gradients = [weight.grad for weight in optimization.weights]
        return Captured(graph, static, fake, scale, told, gradients)

    def _scale(self) -> Tensor | None:
        return torch.ones((), device=self.objective.precision.device) if self.objective.precision.scaled else None

    def _warm_up(self, run: Callable[[], object], optimization: Optimization | None = None) -> None:
        """Run the phase before its capture, on another stream, as torch requires; leaves no gradients.

        Where there are none, the capture's backward pass makes gradients of its own instead of adding to others.

        Raises:
            RuntimeError: a network puts another tensor in a buffer's place, which a graph would not see.
        """
        before = buffers(self.objective)
        gc.collect()  # a tape of another stream, alive in a reference cycle, would spoil the capture
        self._aside.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(self._aside):
                for _ in range(WARM_UPS):
                    if optimization:
                        optimization.clear()
                    run()
        finally:  # putting back must not overtake what still runs aside
            torch.cuda.current_stream().wait_stream(self._aside)
        if optimization:
            optimization.clear()
        for module, name, buffer in before:
            if getattr(module, name) is not buffer:
                raise RuntimeError(f"{type(module).__name__} replaces its buffer {name!r} instead of writing into it")

    @contextmanager
    def _capture(self) -> Iterator[torch.cuda.CUDAGraph]:
        """Record what this thread does meanwhile; other threads, which read images ahead, may use the device freely.

        After a failure torch ends the capture with an error of its own, and may leave its stream the current one. Its
        random generator, which dropout draws from, takes the capture to be still going until another one succeeds.
        """
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        first: Exception | None = None
        try:
            with torch.cuda.graph(graph, self._pool, self._capturing, "thread_local"):
                try:
                    yield graph
                except Exception as error:
                    first = error
                    raise
        except Exception as error:
            torch.cuda.set_stream(stream)
            with torch.cuda.graph(torch.cuda.CUDAGraph(), None, self._capturing, "thread_local"):
                torch.zeros(1, device=self.objective.precision.device)
            raise first or error from None


@contextmanager
def _frozen(optimization: Optimization) -> Iterator[None]:
    """Compute no gradients for its weights meanwhile."""
    before = [weight.requires_grad for weight in optimization.weights]
    for weight in optimization.weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight, trained in zip(optimization.weights, before, strict=True):
            weight.requires_grad_(trained)
