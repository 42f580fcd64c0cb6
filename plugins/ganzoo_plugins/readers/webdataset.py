"""WebDataset: tar archives of images, with labels in files beside them or as in a folder (``tree.py``).

https://github.com/webdataset/webdataset, "The WebDataset Format".
"""

import tarfile
from dataclasses import dataclass
from pathlib import Path

from ganzoo import UsageError
from ganzoo.data import EncodedImages, damage, plain
from ganzoo_plugins.readers.bounded import BoundedFile
from ganzoo_plugins.readers.names import beside, normal, refuse_names, shards
from ganzoo_plugins.readers.tree import Entry, Tree, images_of

LARGEST_HEADER = 2**20
"""Most bytes of a header that is longer than a block, such as a name of the pax format."""

BLOCK = tarfile.BLOCKSIZE

COMPRESSED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz", b"\x28\xb5\x2f\xfd": "unzstd"}
"""What compressed files begin with -> the program that unpacks them."""


@dataclass(frozen=True)
class Extent:
    """Where a member's bytes lie in an archive."""

    shard: Path
    offset: int
    size: int

    def read(self, limit: int) -> bytes:
        """The bytes, read through a file object of this call's own, so that threads do not disturb each other."""
        if self.size > limit:
            raise UsageError(f"larger than {limit:,} bytes")
        with self.shard.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) < self.size:
            raise UsageError("the archive ends within it")
        return data


def read(path: Path) -> EncodedImages:
    """Find the images of one archive, or of all shards in a folder; they are read where they lie.

    Raises:
        UsageError: an archive is compressed, damaged, or holds what no data set needs; or labels do not fit.
    """
    files = shards(path, "*.tar")
    entries = [entry for file in files for entry in _members(file)]
    return images_of(Tree(path, entries, Extent.read, tuple(beside(path, files))))


def _members(shard: Path) -> list[Entry]:
    """All regular files of an archive, in its order."""
    try:
        with BoundedFile(shard, LARGEST_HEADER) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            members = list(archive)
    except (tarfile.TarError, OSError, ValueError, OverflowError, MemoryError) as error:
        reason = damage(str(shard), error)[:120]
        with shard.open("rb") as start:
            begin = start.read(max(map(len, COMPRESSED)))
        program = next((COMPRESSED[magic] for magic in COMPRESSED if begin.startswith(magic)), None)
        problem = "compressed" if program else f"damaged ({reason})"
        hint = f"{program} {shard}" if program else "download or copy it again"
        raise UsageError(f"{shard}: {problem}", hint=hint) from error
    refuse_names(shard, ((member.name, member.isdir()) for member in members))
    if odd := next((each.name for each in members if not (each.isreg() or each.isdir()) or each.issparse()), None):
        raise UsageError(
            f"{shard}: refused, because {plain(odd):.80} is a link, a device or a sparse file",
            hint="pack the images again, as plain files",
        )
    _require_end(shard, max((member.offset_data + member.size for member in members), default=0))
    return [
        Entry(normal(member.name), Extent(shard, member.offset_data, member.size), shard.name)
        for member in members
        if member.isreg()
    ]


def _require_end(shard: Path, end: int) -> None:
    """Refuse an archive that does not end in zeros, and in nothing else.

    ``tarfile`` takes a damaged header, and a cut file, for the end, and does not see what was put behind the end.
    """
    with shard.open("rb") as file:
        file.seek(-(-end // BLOCK) * BLOCK)
        if file.read(BLOCK) != bytes(BLOCK):
            raise UsageError(f"{shard}: damaged (no end mark after byte {end})", hint="download or copy it again")
        while rest := file.read(LARGEST_HEADER):
            if rest.strip(b"\0"):
                raise UsageError(
                    f"{shard}: more follows after its end mark (at byte {end})",
                    hint="archives are joined by tar --concatenate, not by cat; or download it again",
                )
