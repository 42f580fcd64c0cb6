"""Random numbers of losses, penalties and networks' own terms: functions of (seed, step, phase, call) alone.

Which they are is found once, in the rehearsal. From then on they are drawn with the rest of the batch: for all samples
of it, so that ranks and parts slice the same numbers, and outside of what an executor compiles or captures.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganzoo.errors import PluginError
from ganzoo.step import Distribution
from ganzoo.training.draws import derive

EACH_STEP = "make the same calls in every step: torch.where chooses among numbers that are drawn"


@dataclass(frozen=True)
class Kind:
    """What one call draws: a distribution, and the shape of one sample."""

    distribution: Distribution
    shape: tuple[int, ...]


@dataclass
class Chance:
    """The calls of a run by name, such as ``discriminator/loss/0``: who draws in which phase, and for the n-th time."""

    calls: dict[str, Kind] = field(default_factory=dict)

    def draw(
        self, seed: int, step: int, phase: int, count: int, generator: torch.Generator, dtype: torch.dtype
    ) -> dict[str, Tensor]:
        """Each call's numbers, [count, …], for one phase.

        Args:
            generator: on the device of the numbers; it is reseeded for each call.
        """
        drawn = {}
        for name, kind in self.calls.items():
            generator.manual_seed(derive(seed, "chance", step, phase, name))
            numbers = torch.empty(count, *kind.shape, dtype=dtype, device=generator.device)
            fill = numbers.normal_ if kind.distribution == "normal" else numbers.uniform_
            drawn[name] = fill(generator=generator)
        return drawn


@dataclass
class Calls:
    """One phase's calls as they are made.

    Args:
        drawn: what the batch holds for them.
        learnt: takes up calls that are not in ``drawn``; None: there can be none.
        network: whose phase it is.
        samples: of the batch.
        caller: who draws: ``loss``, a penalty's name, ``regularise``, or ``observe``.
        progress_read: whether somebody has read how much of the run is over.
    """

    drawn: Mapping[str, Tensor]
    learnt: Chance | None
    network: str
    samples: int
    caller: str = "loss"
    progress_read: bool = False
    _made: dict[str, int] = field(default_factory=dict)

    @property
    def who(self) -> str:
        """The caller, for messages."""
        own = {"loss": "the loss", "regularise": "regularise()", "observe": "observe()"}
        return own.get(self.caller, f"the penalty {self.caller!r}")

    def draw(self, distribution: Distribution, x: Tensor) -> Tensor:
        """The numbers of the caller's next call, in the shape and type of ``x`` [B, …].

        Raises:
            PluginError: there was no such call in the rehearsal, it was of another shape, or ``x`` has not a row for
                each sample.
        """
        if x.dim() == 0 or len(x) != self.samples:
            raise PluginError(
                f"{self.who} draws random numbers in the shape {list(x.shape)} of a batch of {self.samples} samples",
                hint="draw one row a sample, [B, …], and use some of them: that is how ranks get the same numbers",
            )
        number = self._made.get(self.caller, 0)
        self._made[self.caller] = number + 1
        name = f"{self.network}/{self.caller}/{number}/{distribution}"
        if name not in self.drawn:
            return self._first(name, distribution, x)
        if self.drawn[name].shape != x.shape:
            raise PluginError(
                f"{self.who} draws random numbers in the shape {list(x.shape)}, where it first drew "
                f"{list(self.drawn[name].shape)}",
                hint=EACH_STEP,
            )
        return self.drawn[name].to(x.dtype)

    def _first(self, name: str, distribution: Distribution, x: Tensor) -> Tensor:
        if self.learnt is None:
            raise PluginError(f"{self.who} draws random numbers in some steps only", hint=EACH_STEP)
        self.learnt.calls[name] = Kind(distribution, tuple(x.shape[1:]))
        numbers = torch.empty_like(x, requires_grad=False)
        return numbers.normal_() if distribution == "normal" else numbers.uniform_()
