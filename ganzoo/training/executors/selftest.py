"""Whether a fast executor computes what the eager one does: tried on one batch before the first step."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganzoo.training import hidden
from ganzoo.training.batch import Batch
from ganzoo.training.executors.eager import Executor
from ganzoo.training.executors.unmoved import buffers, unmoved
from ganzoo.training.objective import Objective, Phase, used_by

MAX_ERROR_RATIO = 2.0
"""Largest ratio of the fast error to the eager one, which another order of summation may reach."""

MIN_ERROR = 1e-5
"""Relative error of a network's gradient that is always allowed: eager happens to be more exact than that at times."""

MAX_EPS = 32
"""Largest error of eager's own that rounding explains, in units of the number format's ``eps`` (and 1e-3 at least)."""


SMALL = 0.01
"""Norm of a buffer below which differences count as if it had this one: a mean near 0 is all rounding."""


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
        (_second_run(eager, *each, ready), _second_run(wider, each[0], each[1].map(_widest(exact)), ready))
        for each in phases
    ]
    tried = [_second_run(executor, *each, ready) for each in phases]
    found = [
        _difference(phase, fast, *pair, objective.precision.eps)
        for (phase, _), fast, pair in zip(phases, tried, known, strict=True)
    ]
    return next((each for each in found if each), None)


class _Left(NamedTuple):
    """What a run leaves: its network's gradient, and the buffers of both networks."""

    gradient: Tensor
    buffers: list[Tensor]


def _difference(phase: Phase, fast: _Left, eager: _Left, reference: _Left, eps: float) -> str | None:
    error, own = (relative(each.gradient, reference.gradient) for each in (fast, eager))
    trusted = max(MAX_EPS * eps, 1e-3)
    pairs = zip(fast.buffers, eager.buffers, strict=True)
    if any((one - other).norm() > trusted * other.norm().clamp_min(SMALL) for one, other in pairs):
        return f"it leaves other buffers in the phase of the {phase.network} than the eager one"
    if own > trusted:
        error = relative(fast.gradient, eager.gradient)
        return None if error <= trusted else f"its gradient of the {phase.network} is {error:.2g} from the eager one"
    if error <= max(MAX_ERROR_RATIO * own, MIN_ERROR):
        return None
    return f"its gradient of the {phase.network} is {error:.2g} from the exact one, and the eager one's {own:.2g}"


def _second_run(executor: Executor, phase: Phase, batch: Batch, ready: Callable[[Phase], None]) -> _Left:
    """What a second run leaves, which differs where a graph does not go on from the buffers that the first left."""
    network = executor.objective.network(phase)
    with unmoved(executor.objective):
        for _ in range(2):
            network.zero_grad(set_to_none=True)
            ready(phase)
            executor.learn(phase, batch, None, None)
        kept = [buffer.detach().double().clone() for _, _, buffer in buffers(executor.objective)]
        return _Left(gradient(network), kept)


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
    for network in (copied.generator, copied.discriminator, *used_by(copied.loss), *used_by(copied.augment)):
        network.to(precision.master)
    state = {name: precision.widened(value) for name, value in copied.state.items()}
    return replace(copied, precision=precision, state=state)


def _widest(objective: Objective) -> Callable[[Tensor], Tensor]:
    return lambda tensor: objective.precision.widened(tensor) if tensor.is_floating_point() else tensor
