"""One NumPy file: ``.npy`` has images, ``.npz`` labels and names of classes, too. It grows on disk, not in memory."""

import io
import math
import os
import shutil
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ganzoo.files import create_like, replaceable, sync_directory
from ganzoo.samples.request import Piece, Request

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganzoo.runtime.card import GeneratorCard

ARRAYS = (".npy", ".npz")
"""Ends of files that hold arrays."""


class Array:
    """``images``, uint8 [N, H, W, C]; in an ``.npz`` also ``labels``, int64 [N], and ``class_names``, if there are any.

    Args:
        output: the file.
        work: a directory for what is under way, on the same file system.
        card: what the generator says of itself.
        request: which images there are.
    """

    step = 4096
    at_once = begun = False

    def __init__(self, output: Path, work: Path, card: "GeneratorCard", request: Request) -> None:
        self._output, self._work = replaceable(output), work
        self._shape = (request.total, card.height, card.width, card.channels)
        self._packed = output.suffix.lower() == ".npz"
        self._names = card.class_names if self._packed else ()
        self._columns: dict[str, _Column] = {}

    def beside(self) -> str:
        """A file that is there is replaced."""
        return ""

    def open(self, done: int) -> None:
        """Go on behind the rows that were committed."""
        import numpy as np

        self._columns["images"] = _Column(self._work / "images.npy", np.dtype(np.uint8), self._shape, done)
        if self._names:
            self._columns["labels"] = _Column(self._work / "labels.npy", np.dtype(np.int64), self._shape[:1], done)

    def encode(
        self, piece: Piece, images: "NDArray[np.uint8]", labels: "NDArray[np.int64] | None"
    ) -> "dict[str, NDArray[Any]]":
        """As they lie in the file."""
        rows: dict[str, NDArray[Any]] = {"images": images.transpose(0, 2, 3, 1)}
        return rows if labels is None else {**rows, "labels": labels}

    def add(self, encoded: "dict[str, NDArray[Any]]") -> None:
        """Write them."""
        for name, column in self._columns.items():
            column.file.write(encoded[name].tobytes())

    def commit(self) -> None:
        """Have them on the disk."""
        for column in self._columns.values():
            column.commit()

    def finish(self) -> None:
        """Make one file of them."""
        self.commit()
        self.close()
        whole = self._work / "whole"
        whole.unlink(missing_ok=True)
        create_like(whole, self._output)
        with whole.open("wb") as file:  # a copy: after a kill the arrays are needed again
            if self._packed:
                self._pack(file)
            else:
                _copy(self._columns["images"].path, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(whole, self._output)
        sync_directory(self._output.parent)

    def close(self) -> None:
        """Let go of the files."""
        for column in self._columns.values():
            column.file.close()

    def _pack(self, file: IO[bytes]) -> None:
        """A ZIP of the arrays, as ``numpy.savez`` writes it, whose bytes do not depend on the time."""
        import zipfile

        import numpy as np

        with zipfile.ZipFile(file, "w") as archive:
            for name, column in self._columns.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    _copy(column.path, member)
            if self._names:
                names = io.BytesIO()
                np.lib.format.write_array(names, np.array(self._names), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo("class_names.npy"), names.getvalue())


def _copy(path: Path, file: IO[bytes]) -> None:
    with path.open("rb") as source:
        shutil.copyfileobj(source, file, 2**20)


class _Column:
    """A ``.npy`` file that grows: its header says from the beginning how many rows there will be.

    Args:
        path: the file.
        dtype, shape: of the whole array.
        done: how many rows are there already; what stands behind them is dropped.
    """

    def __init__(self, path: Path, dtype: "np.dtype[Any]", shape: tuple[int, ...], done: int) -> None:
        from numpy.lib import format as npy

        self.path = path
        self.file = path.open("r+b" if done else "w+b")
        header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(self.file, header)
        self.file.seek(done * math.prod(shape[1:]) * dtype.itemsize, os.SEEK_CUR)
        self.file.truncate()

    def commit(self) -> None:
        """Have the rows on the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())
