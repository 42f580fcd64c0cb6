"""Shards of encoded images: WebDataset's tar files, or Parquet as on Hugging Face. Readers take a directory of them."""

import json
import os
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ganzoo.errors import GanzooError, MissingPackageError, UsageError
from ganzoo.files import sync_directory
from ganzoo.images import encode_png
from ganzoo.samples.request import Piece, Request
from ganzoo.samples.strangers import refuse_strangers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganzoo.runtime.card import GeneratorCard

SHARD = 8192
"""Images of a shard."""

GROUP = 1024
"""Images of a row group of Parquet, which is read as a whole."""


class Shards(ABC):
    """``samples-00000-of-00123.tar``, say: a shard is in its place when it is whole.

    Args:
        output: the directory.
        work: a directory for what is under way, on the same file system.
        card: what the generator says of itself.
        request: which images there are.

    Raises:
        GanzooError: a file is where the directory should be.
    """

    step = SHARD
    suffix: str
    at_once = begun = False

    def __init__(self, output: Path, work: Path, card: "GeneratorCard", request: Request) -> None:
        self._output, self._under_way = output, work / "shard"
        self._names, self._seed = card.class_names, request.seed
        self._count = -(-request.total // self.step)
        self._number = 0
        self._file: IO[bytes] | None = None
        try:
            output.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise GanzooError(f"{output} is a file, not a directory", hint="choose another -o") from error

    def beside(self) -> str:
        """Shards of another number lie beside the new ones, and are read with them; images would be read no more."""
        refuse_strangers(self._output, lambda _: False)
        found = [path.name for path in self._output.glob("samples-*-of-*.*")]
        others = [name for name in found if not name.endswith(f"-of-{self._count:05d}{self.suffix}")]
        if others:
            raise UsageError(
                f"{self._output} has shards of another set, {min(others)} for one: readers would take both",
                hint="choose another -o, or remove them",
            )
        return ""

    def open(self, done: int) -> None:
        """Go on with the next shard."""
        self._number = done // self.step

    @abstractmethod
    def encode(self, piece: Piece, images: "NDArray[np.uint8]", labels: "NDArray[np.int64] | None") -> Any:
        """Images [B, C, H, W] and their labels as they are written."""

    def add(self, encoded: Any) -> None:
        """Write them to the shard that is under way."""
        self._write(self._file or self._begin(), encoded)

    def commit(self) -> None:
        """Put the shard in its place."""
        file = self._file or self._begin()
        self._end(file)
        file.flush()
        os.fsync(file.fileno())
        self.close()
        place = self._output / f"samples-{self._number:05d}-of-{self._count:05d}{self.suffix}"
        os.replace(self._under_way, place)
        sync_directory(self._output)
        self._number += 1

    def finish(self) -> None:
        """Put the last one in its place."""
        self.commit()

    def close(self) -> None:
        """Let go of the file that is under way."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> IO[bytes]:
        self._file = self._under_way.open("wb")
        return self._file

    @abstractmethod
    def _write(self, file: IO[bytes], encoded: Any) -> None: ...

    @abstractmethod
    def _end(self, file: IO[bytes]) -> None: ...


class Tar(Shards):
    """``00000003.png``, and beside it ``00000003.json`` with its label's name, its seed and its index."""

    suffix = ".tar"

    def encode(self, piece: Piece, images: "NDArray[np.uint8]", labels: "NDArray[np.int64] | None") -> bytes:
        """Members of an archive, whose bytes do not depend on who writes them, and when."""
        members = []
        for row, image in enumerate(images):
            key = f"{piece.number + row:08d}"
            members.append(_member(f"{key}.png", encode_png(image)))
            if labels is not None:
                said = {"label": self._names[labels[row]], "seed": self._seed, "index": piece.index + row}
                members.append(_member(f"{key}.json", json.dumps(said).encode()))
        return b"".join(members)

    def _write(self, file: IO[bytes], encoded: bytes) -> None:
        file.write(encoded)

    def _end(self, file: IO[bytes]) -> None:
        file.write(bytes(2 * tarfile.BLOCKSIZE))


def _member(name: str, data: bytes) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = len(data)
    return header.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


class Parquet(Shards):
    """A column ``image`` of PNGs and, where the generator knows classes, a column ``label`` of their numbers.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """

    suffix = ".parquet"

    def __init__(self, output: Path, work: Path, card: "GeneratorCard", request: Request) -> None:
        try:
            import pyarrow as pa
        except ModuleNotFoundError as error:
            raise MissingPackageError(
                "Parquet files need the package pyarrow, which is not installed", hint='pip install "ganzoo[parquet]"'
            ) from error
        super().__init__(output, work, card, request)
        image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        features: dict[str, Any] = {"image": {"_type": "Image"}}
        if self._names:
            features["label"] = {"names": list(self._names), "_type": "ClassLabel"}
        columns = [("image", image), *([("label", pa.int64())] if self._names else [])]
        described = json.dumps({"info": {"features": features}})
        self._schema = pa.schema(columns, metadata={"huggingface": described})
        self._writer: Any = None
        self._rows: list[dict[str, Any]] = []

    def encode(
        self, piece: Piece, images: "NDArray[np.uint8]", labels: "NDArray[np.int64] | None"
    ) -> list[dict[str, Any]]:
        """A row for each image."""
        rows: list[dict[str, Any]] = [{"image": {"bytes": encode_png(image), "path": None}} for image in images]
        for row, label in zip(rows, [] if labels is None else labels.tolist(), strict=False):
            row["label"] = label
        return rows

    def _begin(self) -> IO[bytes]:
        from pyarrow import parquet

        file = super()._begin()
        self._writer = parquet.ParquetWriter(file, self._schema)
        return file

    def close(self) -> None:
        """Let go of the writer, too, which would write to the file when it is collected."""
        if self._writer is not None:
            self._writer.close()
        super().close()

    def _write(self, file: IO[bytes], encoded: list[dict[str, Any]]) -> None:
        self._rows += encoded
        while len(self._rows) >= GROUP:
            self._write_group()

    def _end(self, file: IO[bytes]) -> None:
        if self._rows:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._rows[:GROUP], self._schema))
        del self._rows[:GROUP]


SHARDS: Mapping[str, Callable[[Path, Path, "GeneratorCard", Request], Shards]] = {"tar": Tar, "parquet": Parquet}
"""Kind of shards -> what writes them."""
