"""Downloaded files as images: MNIST (LeCun et al., 1998), Fashion-MNIST (Xiao et al., 2017), CIFAR-10 (Krizhevsky)."""

import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganzoo.data import ImageSet
from ganzoo.data.fetch import fetch
from ganzoo_plugins.downloads.files import CIFAR10_FILES, FASHION_MNIST_FILES, MNIST_FILES, Files
from ganzoo_plugins.readers import idx


@dataclass(frozen=True)
class IdxPair:
    """Images and labels as IDX files, in two parts."""

    files: Files
    class_names: tuple[str, ...]

    def training(self) -> ImageSet:
        """The official training part."""
        return self._part("train")

    def held_out(self) -> ImageSet:
        """The official test part."""
        return self._part("t10k")

    def _part(self, prefix: str) -> ImageSet:
        _fetch(self.files, f"{prefix}-labels-idx1-ubyte.gz")  # the reader looks for it beside the images
        return idx.read(_fetch(self.files, f"{prefix}-images-idx3-ubyte.gz"), self.class_names)


@dataclass(frozen=True)
class CifarArchive:
    """The binary version of CIFAR-10 as it is published, read where it is.

    A record is the label and then the pixels [3, 32, 32].
    """

    files: Files

    def training(self) -> ImageSet:
        """The five training batches."""
        return self._part(*(f"data_batch_{batch}.bin" for batch in range(1, 6)))

    def held_out(self) -> ImageSet:
        """The test batch."""
        return self._part("test_batch.bin")

    def _part(self, *batches: str) -> ImageSet:
        wanted = ("batches.meta.txt", *batches)
        members = _members(_fetch(self.files, "cifar-10-binary.tar.gz"), wanted)
        names, *parts = (members[name] for name in wanted)
        records = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, 1 + 3 * 32 * 32)
        return ImageSet(
            pixels=records[:, 1:].reshape(-1, 3, 32, 32),
            labels=records[:, 0].astype(np.int64),
            class_names=tuple(names.decode("ascii").split()),
        )


def _members(path: Path, wanted: tuple[str, ...]) -> dict[str, bytes]:
    """Files of an archive by their base names, in one pass; a compressed archive can only be read forwards."""
    with tarfile.open(path, "r|gz") as archive:
        return {
            name: file.read()
            for member in archive
            if (name := member.name.rpartition("/")[2]) in wanted and (file := archive.extractfile(member))
        }


def _fetch(files: Files, name: str) -> Path:
    size, sha256 = files.files[name]
    urls = [mirror + name for mirror in files.mirrors]
    return fetch(f"{files.folder}/{name}", size=size, sha256=sha256, urls=urls)


MNIST = IdxPair(MNIST_FILES, tuple("0123456789"))
FASHION_MNIST = IdxPair(
    FASHION_MNIST_FILES,
    ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot"),
)
CIFAR10 = CifarArchive(CIFAR10_FILES)
