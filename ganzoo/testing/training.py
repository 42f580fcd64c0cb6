"""Checks of what trains: a few steps, which must be finite, repeatable, compilable and complete in a checkpoint."""

import json
from collections.abc import Mapping

import torch
from torch import Tensor

from ganzoo.config import PrecisionName
from ganzoo.errors import PluginError
from ganzoo.specs import Spec
from ganzoo.testing.bench import Bench
from ganzoo.testing.checks import NotRun
from ganzoo.testing.ranks import TOLERANCE, relative_difference
from ganzoo.training import checkpoint
from ganzoo.training.checkpoint import Snapshot
from ganzoo.training.executors.compiled import Compiled
from ganzoo.training.ranks import ALONE
from ganzoo.training.trainer import Trainer

STEPS = 2


def mixed_precision(bench: Bench, spec: Spec) -> str:
    """Some steps in mixed precision leave everything finite."""
    trainer = _stepped(bench.trainer(spec, precision=PrecisionName.BF16), STEPS)
    _check_finite(trainer)
    return _means(trainer)


def tracing(bench: Bench, spec: Spec) -> str:
    """Some steps in fp64, traced by torch.compile as a whole, are the eager ones; no compiler is needed for that.

    They are the same but for rounding, because a traced gradient may be summed in another order. In fp64 no rounding is
    as large as Adam's epsilon: in fp32 it is all that the gradient of a bias ahead of BatchNorm has, and moves it.
    """
    # One update of the critic a step: a second one is traced once more, for seconds, and is the same function.
    eager, traced = (bench.trainer(spec, critic_steps=1, precision=PrecisionName.FP64) for _ in range(2))
    traced.use(Compiled(traced.objective, traced.optimizations, ALONE, backend="aot_eager"))
    worst = 0.0
    wanted = _parts(checkpoint.take(_stepped(eager, STEPS)))
    for part, values in _parts(checkpoint.take(_stepped(traced, STEPS))).items():
        worst = max(worst, difference := relative_difference(values, wanted[part]))
        if not difference <= TOLERANCE:  # NaN is no rounding either
            raise PluginError(
                f"after {STEPS} steps that were traced the {part} differs from the eager one by {difference:.2g}",
                hint="what is remembered from step to step belongs into a buffer, and random numbers come from torch",
            )
    return f"differ by {worst:.1g}"


def _parts(snapshot: Snapshot) -> dict[str, Tensor]:
    """All numbers of a training's state by the first word of their names: networks, optimizers, what is remembered."""
    parts: dict[str, list[Tensor]] = {}
    for name, tensor in snapshot.arrived().tensors.items():
        parts.setdefault(name.partition(".")[0], []).append(tensor.flatten().double())
    return {part: torch.cat(tensors) for part, tensors in parts.items()}


def resume(bench: Bench, spec: Spec) -> str:
    """Steps, a checkpoint, and as many steps of a new trainer end in the bytes of a training without a break."""
    whole = _stepped(bench.trainer(spec), STEPS)
    broken_off = checkpoint.take(whole)
    _stepped(whole, STEPS)
    going_on = bench.trainer(spec)
    checkpoint.put_back(going_on, broken_off, "the checkpoint")
    one, other = checkpoint.take(_stepped(going_on, STEPS)), checkpoint.take(whole)
    _check_equal(one, other, "resumed, it trains to another")
    if checkpoint.encode(one) != checkpoint.encode(other):
        raise PluginError("the checkpoint of a resumed training has other bytes")
    return f"{STEPS} + {STEPS} steps are {2 * STEPS}"


def hidden_state(bench: Bench, spec: Spec) -> str:
    """A trainer taken back to a checkpoint does again what it did: nothing that counts is kept anywhere else."""
    trainer = _stepped(bench.trainer(spec), STEPS)
    before = checkpoint.take(trainer)
    after = checkpoint.take(_stepped(trainer, STEPS))
    checkpoint.put_back(trainer, before, "the checkpoint")
    _check_equal(checkpoint.take(_stepped(trainer, STEPS)), after, "taken back to a checkpoint, it trains to another")
    return ""


def cuda(bench: Bench, spec: Spec) -> str:
    """Some steps on a CUDA device, by the executor that is chosen there, leave everything finite."""
    if not torch.cuda.is_available():
        raise NotRun("no CUDA device")
    trainer = bench.trainer(spec, device="cuda", executor="auto", precision="auto")
    notes: list[str] = []
    trainer.prepare(notes.append)
    _check_finite(_stepped(trainer, STEPS))
    return "; ".join([*notes, _means(trainer)])


def _stepped(trainer: Trainer, steps: int) -> Trainer:
    for _ in range(steps):
        trainer.step()
    return trainer


def _check_finite(trainer: Trainer) -> None:
    for name, module in trainer.modules().items():
        for key, value in module.state_dict().items():
            if value.is_floating_point() and not value.isfinite().all():
                raise PluginError(f"after {STEPS} steps the {name}'s {key} holds NaN or infinity")
    for name, mean in trainer.telemetry.means().items():
        if not torch.tensor(mean).isfinite():
            raise PluginError(f"after {STEPS} steps {name} is {mean}")


def _means(trainer: Trainer) -> str:
    means = trainer.telemetry.means()
    return ", ".join(f"{name} {means[name]:.3g}" for name in ("loss_d", "loss_g") if name in means)


def _check_equal(one: Snapshot, other: Snapshot, says: str) -> None:
    """Refuse two states of training that differ; the message begins with ``says`` and names the first difference."""
    if differing := _differences(one.arrived().tensors, other.arrived().tensors):
        more = f", and to {len(differing) - 1} more" if len(differing) > 1 else ""
        raise PluginError(
            f"{says} {differing[0]}{more}",
            hint="what is remembered from step to step belongs into a buffer, and random numbers come from torch",
        )
    if json.dumps(dict(one.scalars)) != json.dumps(dict(other.scalars)):
        raise PluginError(f"{says} scale of gradients")


def _differences(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    names = sorted(one.keys() | other.keys())
    return [name for name in names if name not in one or name not in other or not _same(one[name], other[name])]


def _same(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and torch.equal(*(each.reshape(-1).view(torch.uint8) for each in (one, other)))
