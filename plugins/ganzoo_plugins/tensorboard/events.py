"""A run's event file."""

from collections.abc import Mapping

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from ganzoo.training.run import Run


class Events:
    """Writes into ``<run>/tensorboard``.

    Args:
        run: one that was resumed writes again what came after its last report, and TensorBoard shows that once.
    """

    def __init__(self, run: Run) -> None:
        logged = [entry["step"] for entry in [*run.reports(), *run.all_evaluations()]]
        self._next = max(logged, default=-1) + 1
        self._writer = SummaryWriter(str(run.directory / "tensorboard"), purge_step=self._next)
        indented = "\n".join(f"    {line}" for line in run.config.to_toml().splitlines())  # code, in Markdown
        self._writer.add_text("configuration", indented, self._next)

    def scalars(self, group: str, step: int, values: Mapping[str, float]) -> None:
        """Write numbers as ``group/name``."""
        for name, value in values.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)
        self._writer.flush()

    def grids(self, run: Run) -> None:
        """Write the grids that are new."""
        for step, path in run.samples().items():
            if step >= self._next:
                with Image.open(path) as picture:
                    self._writer.add_image("samples", np.asarray(picture.convert("RGB")), step, dataformats="HWC")
                self._next = step + 1

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()
