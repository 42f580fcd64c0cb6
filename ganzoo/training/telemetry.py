"""Sums of what a run reports, kept on the device and read only at report intervals: no synchronisation per step."""

from collections.abc import Mapping

import torch
from torch import Tensor


class Telemetry:
    """Means of logged scalars since the last reset, and the first step whose loss was not finite."""

    def __init__(self, device: torch.device) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._bad_step = torch.full((), -1, dtype=torch.int64, device=device)
        self.readable_for_free = device.type == "cpu"

    def log(self, name: str, value: Tensor) -> None:
        """Add one scalar."""
        value = value.detach().double()
        self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._counts[name] = self._counts.get(name, 0) + 1

    def watch(self, loss: Tensor, step: int) -> None:
        """Remember ``step`` if it is the first whose loss is not finite."""
        bad = ~torch.isfinite(loss.detach()) & (self._bad_step < 0)
        self._bad_step = torch.where(bad, step, self._bad_step)

    def bad_step(self) -> int | None:
        """The first step with a non-finite loss; reading it waits for the device."""
        step = int(self._bad_step)
        return None if step < 0 else step

    def means(self) -> dict[str, float]:
        """The means since the last ``reset``; waits for the device."""
        return {name: float(total) / self._counts[name] for name, total in self._sums.items()}

    def reset(self) -> None:
        """Start anew."""
        self._sums.clear()
        self._counts.clear()

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint needs, so that a resumed run reports the same means: name -> [sum, count]."""
        return {name: torch.stack([s, torch.full_like(s, self._counts[name])]) for name, s in self._sums.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what ``state`` gave."""
        self._sums = {name: pair[0].to(self._bad_step.device) for name, pair in state.items()}
        self._counts = {name: int(pair[1]) for name, pair in state.items()}
