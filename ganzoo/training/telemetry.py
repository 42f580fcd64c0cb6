"""Sums of what a run reports, kept on the device and read only at report intervals: no synchronisation per step."""

import torch
from torch import Tensor


class Telemetry:
    """Means of logged scalars since the last reading, and the first step whose loss was not finite."""

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

    def read(self) -> dict[str, float]:
        """The means since the last reading, which starts anew; reading waits for the device."""
        means = {name: float(total) / self._counts[name] for name, total in self._sums.items()}
        self._sums.clear()
        self._counts.clear()
        return means
