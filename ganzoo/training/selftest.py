"""Whether a fast executor computes what the eager one does: tried on one batch before the first step."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from ganzoo.training.batch import Batch
from ganzoo.training.executors import Executor
from ganzoo.training.objective import Objective, Phase

SLACK = 2.0
"""Times eager's own rounding error: what another order of summation may come to."""

FLOOR = 1e-5
"""Of the relative error of a whole network's gradient, where eager happens to be more exact than that."""


def mismatch(executor: Executor, phases: Sequence[tuple[Phase, Batch]], ready: Callable[[Phase], None]) -> str | None:
    """What ``executor`` does otherwise than the eager one in any of the phases; None if nothing.

    Its distance from a more exact computation (``Precision.wider``) may be ``SLACK`` times that of the eager one. All
    that the trial moves (gradients, BatchNorm's statistics) is put back.

    Args:
        phases: with the batch to try each on.
        ready: makes the networks' weights trainable or frozen as the phase needs, and seeds torch's own generator, from
            which networks may draw for themselves.
    """
    objective = executor.objective
    ready(Phase("discriminator"))  # nothing that can be trained is frozen in the copy
    exact = _in_wider_precision(objective)
    for phase, batch in phases:
        network = objective.network(phase)
        with unmoved(objective):
            ready(phase)
            executor.gradients(phase, batch, None)
            fast = gradient(network)
        with unmoved(objective):
            ready(phase)
            objective.gradients(phase, batch, None)
            eager = gradient(network)
        ready(phase)
        exact.gradients(phase, batch.map(_widest(exact)), None)
        reference = gradient(exact.network(phase))
        error, own = relative(fast, reference), relative(eager, reference)
        if not error <= max(SLACK * own, FLOOR):
            return (
                f"its gradient of the {phase.network} is {error:.2g} from the exact one, and the eager one's {own:.2g}"
            )
    return None


def gradient(network: nn.Module) -> Tensor:
    """All of a network's gradient, in one vector of float64."""
    found = [weight.grad for weight in network.parameters() if weight.grad is not None]
    return torch.cat([each.detach().double().flatten() for each in found])


def relative(found: Tensor, reference: Tensor) -> float:
    """|found - reference| / |reference|."""
    if found.shape != reference.shape:
        return float("inf")
    return float((found - reference).norm() / reference.norm().clamp_min(1e-30))


@contextmanager
def unmoved(objective: Objective) -> Iterator[None]:
    """Put back weights and buffers, and leave no gradients."""
    networks = (objective.generator, objective.discriminator)
    before = [{key: tensor.clone() for key, tensor in network.state_dict().items()} for network in networks]
    for network in networks:
        network.zero_grad(set_to_none=True)
    try:
        yield
    finally:
        with torch.no_grad():
            for network, state in zip(networks, before, strict=True):
                for key, tensor in network.state_dict().items():
                    tensor.copy_(state[key])
                network.zero_grad(set_to_none=True)


def _in_wider_precision(objective: Objective) -> Objective:
    precision = objective.precision.wider()
    generator, discriminator = (
        copy.deepcopy(network).to(precision.master) for network in (objective.generator, objective.discriminator)
    )
    return replace(objective, generator=generator, discriminator=discriminator, precision=precision)


def _widest(objective: Objective) -> Callable[[Tensor], Tensor]:
    return lambda tensor: objective.precision.widened(tensor) if tensor.is_floating_point() else tensor
