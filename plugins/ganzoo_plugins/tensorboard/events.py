"""A run's event file."""

from collections.abc import Mapping

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from ganzoo import Run


class Events:
    """Writes into ``<run>/tensorboard``.

    Args:
        run: the run. One that was resumed, or went back to a checkpoint, writes the steps after it again; TensorBoard
            shows them once.
    """

    def __init__(self, run: Run) -> None:
        logged = [entry["step"] for entry in [*run.reports(), *run.all_evaluations()]]
        self._run = run
        self._recoveries = len(self._recovered())
        self._next = max(logged, default=-1) + 1
        self._writer = self._file()
        indented = "\n".join(f"    {line}" for line in run.config.to_toml().splitlines())  # code, in Markdown
        self._writer.add_text("configuration", indented, self._next)

    def scalars(self, group: str, step: int, values: Mapping[str, float]) -> None:
        """Write numbers as ``group/name``."""
        recovered = self._recovered()
        if len(recovered) > self._recoveries:
            self._recoveries = len(recovered)
            self._writer.close()
            self._next = recovered[-1]
            self._writer = self._file()
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)
        self._writer.flush()

    def grids(self) -> None:
        """Write the grids that are new."""
        for step, path in self._run.samples().items():
            if step >= self._next:
                with Image.open(path) as picture:
                    self._writer.add_image("samples", np.asarray(picture.convert("RGB")), step, dataformats="HWC")
                self._next = step + 1

    def _file(self) -> SummaryWriter:
        """One more file, which replaces what earlier files have of the next step and of those after it."""
        return SummaryWriter(str(self._run.directory / "tensorboard"), purge_step=self._next)

    def _recovered(self) -> list[int]:
        """The first steps that were taken anew after a divergence."""
        return [event["step"] for event in self._run.events() if event["kind"] == "recovered"]

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
