"""Files that a run writes one a step: checkpoints and grids."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StepFiles:
    """The files ``<folder>/<word>-<step><suffix>``, the step in eight digits; what else lies there is somebody else's.

    Synchronisers, editors and people leave copies (``step-00000040 (1).png``): none of them is ever read or removed.
    """

    folder: Path
    word: str
    suffix: str

    def path(self, step: int) -> Path:
        """Where the file after ``step`` steps goes."""
        return self.folder / f"{self.word}-{step:08d}{self.suffix}"

    def all(self) -> dict[int, Path]:
        """Step -> file, ascending."""
        name = re.compile(rf"{self.word}-([0-9]{{8,}}){re.escape(self.suffix)}")
        paths = self.folder.iterdir() if self.folder.is_dir() else ()
        found = {int(match[1]): path for path in paths if (match := name.fullmatch(path.name)) and path.is_file()}
        return dict(sorted(found.items()))
