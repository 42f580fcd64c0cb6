"""Sums of what a run logs, kept on the device and read only for a log line: no synchronisation per step."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ganzoo.training.ranks import Ranks

READ_EVERY = 64
"""Losses are kept for this many steps; call ``bad_step`` at least as often."""

NORMS_EVERY = 8
"""Steps between two readings of gradient norms: at every step they would cost 0.8 % of a small model's time."""

NORMS = {"discriminator": "grad_norm_d", "generator": "grad_norm_g"}


class Telemetry:
    """Means of logged scalars since the last reset, and the first step whose loss was not finite."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        # One slot per step. Each is a sum, in float64: it stays finite if the fp32 numbers in it are.
        self._losses = torch.zeros(READ_EVERY, dtype=torch.float64, device=device)
        self._slots = self._losses.unbind()
        self._latest = 0

    def log(self, name: str, value: Tensor) -> None:
        """Add one scalar; its memory may be overwritten afterwards, as a CUDA graph does."""
        if name in self._sums:
            self._sums[name].add_(value.detach())
            self._counts[name] += 1
        else:
            self._sums[name] = value.detach().to(torch.float64, copy=True)
            self._counts[name] = 1

    def watch(self, loss: Tensor, step: int) -> None:
        """Take note of a loss in ``step``."""
        self._slots[step % READ_EVERY].add_(loss.detach())
        self._latest = step

    def gradients(self, network: str, parameters: Sequence[nn.Parameter], step: int) -> None:
        """Log the L2 norm of the gradient with respect to all ``parameters``, at every ``NORMS_EVERY``-th step.

        Args:
            network: ``discriminator`` or ``generator``.
        """
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if step % NORMS_EVERY == 0 and gradients:
            self.log(NORMS[network], torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))))

    def bad_step(self) -> int | None:
        """The first of the last ``READ_EVERY`` steps with a loss that was not finite; waits for the device."""
        if math.isfinite(float(self._losses.sum())):
            return None
        sums = self._losses.tolist()
        steps = range(max(0, self._latest + 1 - READ_EVERY), self._latest + 1)
        return next(step for step in steps if not math.isfinite(sums[step % READ_EVERY]))

    def means(self) -> dict[str, float]:
        """The means since the last ``reset``; waits for the device."""
        return {name: float(total) / self._counts[name] for name, total in self._sums.items()}

    def reset(self) -> None:
        """Start anew."""
        self._sums.clear()
        self._counts.clear()

    def average(self, ranks: Ranks) -> None:
        """Make what was logged the same on all ranks: each has seen its share of the batches."""
        ranks.average_(list(self._sums.values()))

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint needs, so that a resumed run logs the same means: name -> [sum, count]."""
        return {name: torch.stack([s, torch.full_like(s, self._counts[name])]) for name, s in self._sums.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what ``state`` gave, as if no loss had been bad."""
        self._sums = {name: pair[0].to(self._device, copy=True) for name, pair in state.items()}
        self._counts = {name: int(pair[1]) for name, pair in state.items()}
        self._losses.zero_()
