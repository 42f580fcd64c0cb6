"""A loss tried on two images before the first step: it must be a pure function of the step."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ganzoo.errors import GanzooError, PluginError
from ganzoo.training.batch import Batch
from ganzoo.training.objective import Network, Objective, Phase

IMAGES = 2
"""That it is tried on."""


@dataclass(frozen=True)
class Reads:
    """Whether each network's loss looks at real images: most generators' do not, and then none are fetched."""

    discriminator: bool
    generator: bool

    def real(self, network: Network) -> bool:
        """For the phase that updates ``network``."""
        return self.generator if network == "generator" else self.discriminator


def rehearse(name: str, objective: Objective, batch: Batch) -> Reads:
    """Evaluate both losses and all penalties on copies of the networks in eval mode.

    Args:
        name: of the loss, for messages.
        objective: its networks are not touched.
        batch: of a few samples, with real images.

    Raises:
        PluginError: a loss is not a scalar, fails, or reads a value on the host.
    """
    generator, discriminator = (
        copy.deepcopy(network).eval() for network in (objective.generator, objective.discriminator)
    )
    trial = replace(objective, generator=generator, discriminator=discriminator)
    critic = Phase("discriminator", tuple(range(len(objective.penalties))))
    return Reads(_reads_real(name, trial, critic, batch), _reads_real(name, trial, Phase("generator"), batch))


def _reads_real(name: str, objective: Objective, phase: Phase, batch: Batch) -> bool:
    alone, step = (objective.step(phase, batch, {}) for _ in range(2))
    with _blaming(f"loss {name!r}", phase), _NoReading():  # type: ignore[no-untyped-call]
        loss: object = getattr(objective.loss, phase.network)(alone)
    if not isinstance(loss, Tensor) or loss.dim():
        what = f"a tensor of shape {list(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        raise PluginError(
            f"loss {name!r} returns {what} for the {phase.network}, not a scalar tensor",
            hint="end it with .mean(): one number to minimise",
        )
    with _blaming(f"loss {name!r} with its penalties", phase), _NoReading():  # type: ignore[no-untyped-call]
        objective.evaluate(phase, step)
    return step.real.was_read


class _NoReading(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Refuses ``.item()``, ``float()``, ``if tensor`` and whatever else fetches a value from the device."""

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run each operation, but for the one that reads."""
        if func is torch.ops.aten._local_scalar_dense.default:
            raise _ValueReadError
        return func(*args, **(kwargs or {}))


class _ValueReadError(Exception):
    pass


@contextmanager
def _blaming(what: str, phase: Phase) -> Iterator[None]:
    """A plugin's own failure as an error that names it."""
    try:
        yield
    except _ValueReadError as error:
        raise PluginError(
            f"{what} reads a tensor's value for the {phase.network} (.item(), float() or a condition on it)",
            hint="that would wait for the device in each step: step.log(name, tensor) reports, torch.where chooses",
        ) from error
    except GanzooError:
        raise
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "")
        raise PluginError(
            f"{what} fails for the {phase.network}: {type(error).__name__}: {reason}",
            hint="check that it goes with the architecture: ganzoo models lists both",
        ) from error
