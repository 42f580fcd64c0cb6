"""Measures, before the first step, whether shares of a batch compute together what the whole batch would.

Several ranks, or parts one after the other, average the gradients of their shares. That is the gradient of the whole
batch only where no sample's loss depends on another sample but through BatchNorm, which the ranks compute together, and
``step.mean``. Which networks, losses and penalties are like that is not believed but tried: four samples at once, and
in two halves.
"""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from ganzoo.config import PrecisionName
from ganzoo.training import hidden
from ganzoo.training.batch import Batch
from ganzoo.training.executors.eager import Executor
from ganzoo.training.executors.selftest import gradient, relative
from ganzoo.training.objective import Objective, Phase, used_by
from ganzoo.training.precision import Precision
from ganzoo.training.ranks import ALONE
from ganzoo.training.threads import RANKS, Meeting, ThreadRanks

SAMPLES = 4

TOLERANCE = 1e-6
"""Relative difference of gradients in float64 that rounding explains, also where power iteration amplifies it."""


def coupling(objective: Objective, batch: Batch, *, in_parts: bool) -> str | None:
    """What makes shares of a batch compute something else; None: nothing does.

    On copies, in float64 on the CPU, with weights moved off the zeros that they may begin with, and without the
    statistics of BatchNorm.

    Args:
        batch: four samples, or two.
        in_parts: whether each process takes its shares one after the other, where buffers go on from one to the next.
    """
    exact = _exact(objective)
    samples = batch.map(lambda tensor: tensor.double().cpu() if tensor.is_floating_point() else tensor.cpu())
    phases = exact.everything()
    if in_parts and not any(_differs(exact, samples, phase, in_parts=False) for phase in phases):
        moved = any(_differs(exact, samples, phase, in_parts=True) for phase in phases)
        return "a buffer that moves in each part, as spectral norm's do, or step.mean over one part" if moved else None
    if not any(_differs(exact, samples, phase, in_parts=False) for phase in phases):
        return None
    for name, made in (("the generator", _images), ("the discriminator", _logits))[: len(phases)]:
        if relative(torch.cat([made(exact, half) for half in _halves(samples)]), made(exact, samples)) > TOLERANCE:
            return name
    if any(_differs(exact, samples, Phase(phase.network), in_parts=False) for phase in phases):
        return "the loss, or what the augmentation observes" if hasattr(exact.augment, "observe") else "the loss"
    for place in range(len(exact.penalties)):
        if _differs(exact, samples, Phase("discriminator", (place,)), in_parts=False):
            return f"the penalty {objective.penalties[place].name!r}"
    return "a network's regularise()"


def _exact(objective: Objective) -> Objective:
    cpu = torch.device("cpu")
    copied = hidden.copies(objective)
    generator = torch.Generator().manual_seed(0)
    for network in (*used_by(copied.loss), *used_by(copied.augment)):
        network.to(cpu, torch.float64)
    for network in (copied.generator, copied.discriminator):
        network.to(cpu, torch.float64)
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        with torch.no_grad():
            for weight in network.parameters():
                noise = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
                weight.mul_(1 + noise / 10).add_(0.02 * noise)
    for holder in (copied.loss, copied.augment, *copied.penalties):
        _put(holder, cpu)
    state = {name: value.double().cpu() for name, value in copied.state.items()}
    progress = None if objective.progress is None else objective.progress.double().cpu()
    precision = Precision(PrecisionName.FP64, cpu)
    # Each rank measures for itself: a mean over the true ranks would be of other samples, and wait for the others.
    return replace(copied, precision=precision, state=state, progress=progress, ranks=ALONE)


def _put(holder: object, device: torch.device) -> None:
    """Put the tensors that a copy of a loss, penalty or augmentation has among its attributes and options on a device.

    Numbers that change from step to step are scalars on the training's.
    """
    known = fields(holder) if is_dataclass(holder) else ()
    for name in [each.name for each in known] or list(getattr(holder, "__dict__", {})):
        object.__setattr__(holder, name, _moved(getattr(holder, name), device))


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.double().to(device) if value.is_floating_point() else value.to(device)
    if type(value) is tuple:
        return tuple(_moved(each, device) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        _put(value, device)
    return value


def _halves(batch: Batch) -> list[Batch]:
    return [batch.part(number, 2) for number in range(2)]


def _images(objective: Objective, batch: Batch) -> Tensor:
    torch.random.manual_seed(0)
    with torch.no_grad():
        return hidden.copies(objective).generate(batch)


def _logits(objective: Objective, batch: Batch) -> Tensor:
    torch.random.manual_seed(0)
    with torch.no_grad():
        answer = hidden.copies(objective).discriminator(batch.real, batch.labels)
    return answer if isinstance(answer, Tensor) else answer.logits


def _differs(objective: Objective, batch: Batch, phase: Phase, *, in_parts: bool) -> bool:
    """Whether the gradient of a whole batch, or what is remembered of it, is other than that of its halves."""
    whole = _learnt(hidden.copies(objective), phase, [batch])
    halves = _halves(batch)
    if in_parts:
        return _apart(_learnt(hidden.copies(objective), phase, halves), whole)
    meeting = Meeting()
    ranks = [ThreadRanks(number, RANKS, meeting) for number in range(RANKS)]
    shares = meeting.together(
        [
            partial(_learnt, replace(hidden.copies(objective), ranks=each), phase, [half])
            for each, half in zip(ranks, halves, strict=True)
        ]
    )
    return _apart([torch.stack(each).mean(0) for each in zip(*shares, strict=True)], whole)


def _apart(found: Sequence[Tensor], whole: Sequence[Tensor]) -> bool:
    return any(relative(*pair) > TOLERANCE for pair in zip(found, whole, strict=True))


def _learnt(objective: Objective, phase: Phase, shares: Sequence[Batch]) -> list[Tensor]:
    """The mean gradient of some shares, one after the other, and the mean of each number that is remembered."""
    torch.random.manual_seed(0)  # of what the networks draw for themselves
    if phase.network == "generator":
        for weight in objective.discriminator.parameters():
            weight.requires_grad_(False)
    told = [Executor(objective, {}, ALONE).learn(phase, share, None, None) for share in shares]
    remembered = [torch.stack([each.remembered[name] for each in told]).mean() for name in sorted(told[0].remembered)]
    return [gradient(objective.network(phase)) / len(shares), *remembered]
