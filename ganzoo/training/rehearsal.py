"""A loss tried on two images before the first step: it must be a pure function of the step."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

from ganzoo.errors import GanzooError, PluginError, UsageError, described
from ganzoo.networks.allocation import is_out_of_memory
from ganzoo.training.batch import Batch
from ganzoo.training.executors.unmoved import apart
from ganzoo.training.objective import Objective, Phase
from ganzoo.zoo.foreign import survived

IMAGES = 2
"""Images that a loss is tried on."""


def rehearse(name: str, objective: Objective, batch: Batch) -> None:
    """Compute both losses and all penalties on copies of the networks; networks may read values, a loss may not.

    Args:
        name: the loss's, for messages.
        objective: its networks are not touched.
        batch: a batch of a few samples.

    Raises:
        PluginError: a loss is not a scalar, fails, or reads a value on the host.
    """
    generator, discriminator = copy.deepcopy((objective.generator, objective.discriminator))
    trial = replace(objective, generator=generator, discriminator=_Unwatched(discriminator))
    critic = Phase("discriminator", tuple(range(len(objective.penalties))))
    with apart(generator, discriminator):
        with _blaming("the generator", "in training mode", batch):
            fake = trial.generate(batch).detach()
        for phase in (critic, Phase("generator")):
            _try(name, trial, phase, batch, fake)


def _try(name: str, objective: Objective, phase: Phase, batch: Batch, fake: Tensor) -> None:
    before = (fake._version, batch.real._version)
    alone, step = (objective.step(batch, fake, {}) for _ in range(2))
    where = f"for the {phase.network}"
    with _blaming(f"loss {name!r}", where, batch), _NoReading(batch.labels):
        loss: object = getattr(objective.loss, phase.network)(alone)
    if not isinstance(loss, Tensor) or loss.dim():
        what = f"a tensor of shape {list(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        raise PluginError(
            f"loss {name!r} returns {what} for the {phase.network}, not a scalar tensor",
            hint="end it with .mean(): one number to minimise",
        )
    with _blaming(f"loss {name!r} with its penalties", where, batch), _NoReading(batch.labels):
        objective.evaluate(phase, step)
    if (fake._version, batch.real._version) != before:
        raise PluginError(
            f"the discriminator, or loss {name!r}, writes into the images that it is given",
            hint="the generator learns from the same ones: no in-place operation on them, such as a first activation "
            "with inplace=True",
        )


class _Unwatched(nn.Module):
    """A network, run outside of ``_NoReading``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor | None) -> Any:
        """The network's output."""
        with _disable_current_modes():
            return self.network(*inputs)


class _NoReading(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses ``.item()``, ``float()``, ``if tensor`` and whatever else fetches a value from the device.

    Tensors that were made on the CPU from numbers may be read, because that costs no waiting. So may labels on the CPU:
    torch's own ``one_hot`` looks at their values there, and only there.
    """

    def __init__(self, labels: Tensor | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._constants = {} if labels is None else {id(labels): labels}

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run each operation, except one that reads."""
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        constant = func is torch.ops.aten.lift_fresh.default or all(
            id(each) in self._constants and each.device.type == "cpu" for each in given
        )
        if func is torch.ops.aten._local_scalar_dense.default and not constant:
            raise _ValueReadError
        result = func(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, Tensor):
                self._constants.pop(id(each), None)  # it was changed in place
                if constant:
                    self._constants[id(each)] = each
        return result


class _ValueReadError(Exception):
    pass


@contextmanager
def _blaming(what: str, where: str, batch: Batch) -> Iterator[None]:
    """Turn a plugin's failure into an error that names it; with one image, it rather fails for the lack of a second."""
    try:
        with survived(what):
            yield
    except _ValueReadError as error:
        raise PluginError(
            f"{what} reads a tensor's value {where} (.item(), float() or a condition on it)",
            hint="that would wait for the device in each step: step.log(name, tensor) logs, torch.where chooses",
        ) from error
    except GanzooError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        failure = f"{what} fails {where}: {described(error)}"
        if len(batch.z) == 1:
            hint = "one image at a time is too little for BatchNorm: a larger --batch, or a smaller --accumulate"
            raise UsageError(failure, hint=hint) from error
        hint = "check that loss and architecture go together: ganzoo models lists both"
        raise PluginError(failure, hint=hint) from error
