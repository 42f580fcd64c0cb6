"""A PNG for each image, in a folder for each class: readers take the folders for classes."""

import os
import re
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ganzoo.data.names import is_left_behind
from ganzoo.errors import GanzooError, UsageError
from ganzoo.images import encode_png, png_head
from ganzoo.samples.request import Piece, Request
from ganzoo.samples.strangers import refuse_strangers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganzoo.runtime.card import GeneratorCard

PICTURE = re.compile(r"\d{6,}\.png")

PROBED = 1000
"""Pictures that are opened, of those that are there already, to see whether they are like the new ones."""


class Pictures:
    """``CLASS/000003.png`` for image 3 of a seed; without the folder where the generator knows no classes.

    Args:
        output: the directory.
        work: a directory for what is under way, on the same file system.
        card: what the generator says of itself.
        request: which images there are.

    Raises:
        UsageError: a class has a name that no folder can have; the directory has a person's own images.
        GanzooError: a file is where the directory should be.
    """

    step = 4096
    at_once = True

    def __init__(self, output: Path, work: Path, card: "GeneratorCard", request: Request) -> None:
        self._output, self._work = output, work
        self.begun, self._probed = False, 0
        self._head = png_head(card.channels, card.height, card.width)
        self._folders = [str(output / name) for name in card.class_names] or [str(output)]
        if unfit := next((name for name in card.class_names if not _is_folder(name)), None):
            raise UsageError(
                f"the class {unfit!r:.80} cannot be the name of a folder",
                hint="write -o FILE.npz, or --shards tar",
            )
        try:
            output.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise GanzooError(f"{output} is a file, not a directory", hint="choose another -o") from error

    def beside(self) -> str:
        """Pictures of before may be meant: the first ones of the same seed, or those of another class."""
        refuse_strangers(self._output, self._is_alike)
        folders = [Path(folder) for folder in self._folders]
        there = any(PICTURE.fullmatch(path.name) for folder in folders if folder.is_dir() for path in folder.iterdir())
        return f"{self._output} has pictures already: those of the same name are replaced, and others stay." * there

    def _is_alike(self, path: Path) -> bool:
        """Whether a picture is called and, as far as the first ``PROBED`` tell, made like those of this generator."""
        if not PICTURE.fullmatch(path.name):
            return False
        self._probed += 1
        if self._probed > PROBED:
            return True
        with path.open("rb") as file:  # a power cut may leave one without content
            return file.read(len(self._head)) in (self._head, b"")

    def open(self, done: int) -> None:
        """Nothing is open between two pictures."""

    def encode(self, piece: Piece, images: "NDArray[np.uint8]", labels: "NDArray[np.int64] | None") -> None:
        """Write the pictures, in the thread that made them: each has a name of its own."""
        for row, image in enumerate(images):
            folder = self._folders[0 if labels is None else int(labels[row])]
            under_way = f"{self._work}/{piece.number + row}.png"
            with open(under_way, "wb") as file:
                file.write(encode_png(image))
            place = f"{folder}/{piece.index + row:06d}.png"
            try:
                os.replace(under_way, place)
            except FileNotFoundError:  # the first of its class
                os.makedirs(folder, exist_ok=True)
                os.replace(under_way, place)
            self.begun = True

    def add(self, encoded: None) -> None:
        """They are there already."""

    def commit(self) -> None:
        """A picture that is there is whole."""

    def finish(self) -> None:
        """All are in their places."""

    def close(self) -> None:
        """Nothing is open."""


def _is_folder(name: str) -> bool:
    return PurePath(name).name == name and "\0" not in name and not is_left_behind(name) and len(name.encode()) < 256
