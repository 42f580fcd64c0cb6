"""Whether a fast executor computes what the eager one does: tried on one batch before the first step."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ganzoo.training import hidden
from ganzoo.training.batch import Batch
from ganzoo.training.executors.eager import Executor
from ganzoo.training.executors.unmoved import unmoved
from ganzoo.training.objective import Objective, Phase

MAX_ERROR_RATIO = 2.0
"""Largest ratio of the fast error to the eager one, which another order of summation may reach."""

MIN_ERROR = 1e-5
"""Relative error of a network's gradient that is always allowed: eager happens to be more exact than that at times."""

MAX_EPS = 32
"""Largest error of eager's own that rounding explains, in units of the number format's ``eps`` (and 1e-3 at least)."""


def mismatch(executor: Executor, phases: Sequence[tuple[Phase, Batch]], ready: Callable[[Phase], None]) -> str | None:
    """How ``executor`` differs from the eager one, in the first phase where it does; None: it does not.

    Its distance from a more exact computation (``Precision.wider``) may be ``MAX_ERROR_RATIO`` times the eager one's. A
    network that draws random numbers draws others in another format, and no rounding explains the distance; then
    ``executor`` is compared with the eager one instead. All that the trial changes (gradients, BatchNorm's statistics)
    is put back. Every phase is tried whatever the others show: ranks that share BatchNorm's statistics must run the
    same phases.

    Args:
        phases: with the batch to try each on.
        ready: makes the networks' weights trainable or frozen as the phase needs, and seeds torch's own generator, from
            which networks may draw for themselves.
    """
    objective = executor.objective
    ready(Phase("discriminator"))  # nothing that can be trained is frozen in the copy
    exact = _in_wider_precision(objective)
    eager, wider = (Executor(each, {}, executor.ranks) for each in (objective, exact))
    # Eager first: a captured graph keeps autograd's nodes of the weights, which belong to the stream of the capture.
    known = [
        (_second_gradient(eager, *each, ready), _second_gradient(wider, each[0], each[1].map(_widest(exact)), ready))
        for each in phases
    ]
    tried = [_second_gradient(executor, *each, ready) for each in phases]
    found = [
        _difference(phase, fast, *pair, objective.precision.eps)
        for (phase, _), fast, pair in zip(phases, tried, known, strict=True)
    ]
    return next((each for each in found if each), None)


def _difference(phase: Phase, fast: Tensor, eager: Tensor, reference: Tensor, eps: float) -> str | None:
    error, own = relative(fast, reference), relative(eager, reference)
    trusted = max(MAX_EPS * eps, 1e-3)
    if own > trusted:
        error = relative(fast, eager)
        return None if error <= trusted else f"its gradient of the {phase.network} is {error:.2g} from the eager one"
    if error <= max(MAX_ERROR_RATIO * own, MIN_ERROR):
        return None
    return f"its gradient of the {phase.network} is {error:.2g} from the exact one, and the eager one's {own:.2g}"


def _second_gradient(executor: Executor, phase: Phase, batch: Batch, ready: Callable[[Phase], None]) -> Tensor:
    """The gradient of a second run, which differs where a graph does not go on from the buffers that the first left."""
    network = executor.objective.network(phase)
    with unmoved(executor.objective):
        for _ in range(2):
            network.zero_grad(set_to_none=True)
            ready(phase)
            executor.learn(phase, batch, None, None)
        return gradient(network)


def gradient(network: nn.Module) -> Tensor:
    """All of a network's gradient, in one vector of float64."""
    found = [weight.grad for weight in network.parameters() if weight.grad is not None]
    return torch.cat([each.detach().double().flatten() for each in found])


def relative(found: Tensor, reference: Tensor) -> float:
    """|found - reference| / |reference|."""
    if found.shape != reference.shape:
        return float("inf")
    return float((found - reference).norm() / reference.norm().clamp_min(1e-30))


def _in_wider_precision(objective: Objective) -> Objective:
    """Copies of everything that could keep a tensor of one precision from one pass to the next."""
    precision, copied = objective.precision.wider(), hidden.copies(objective)
    for network in (copied.generator, copied.discriminator):
        network.to(precision.master)
    state = {name: precision.widened(value) for name, value in copied.state.items()}
    return replace(copied, precision=precision, state=state)


def _widest(objective: Objective) -> Callable[[Tensor], Tensor]:
    return lambda tensor: objective.precision.widened(tensor) if tensor.is_floating_point() else tensor
