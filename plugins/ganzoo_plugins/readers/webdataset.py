"""WebDataset: tar archives in which files whose names agree up to the first dot are one sample.

https://github.com/webdataset/webdataset, "The WebDataset Format".
"""

import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ganzoo import UsageError
from ganzoo.data import LARGEST, SUFFIXES, EncodedImages, is_image
from ganzoo_plugins.readers.labels import classes, folder_classes
from ganzoo_plugins.readers.names import inside, refuse_names, shards

LARGEST_LABEL = 2**20
"""Most bytes of a ``.cls`` or ``.json`` member."""

BLOCK = tarfile.BLOCKSIZE

_FORM = "a .cls file holds a class number, a .json file an object with 'label'"


@dataclass(frozen=True)
class Extent:
    """Where a member's bytes lie in an archive."""

    shard: Path
    name: str
    offset: int
    size: int

    def read(self, limit: int = LARGEST) -> bytes:
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
    """Find the samples of one archive, or of all shards in a folder; images are read where they lie.

    The image of a sample is its ``.png``, ``.jpg``, ``.jpeg`` or ``.webp``; its label, where it has one, is the number
    in its ``.cls``, or ``label`` in its ``.json``. Samples without an image are passed over. Where no sample has a
    label, sub-folders are classes, as in a folder.

    Raises:
        UsageError: an archive is compressed, damaged, or holds what no data set needs; or labels do not fit.
    """
    images: list[Extent] = []
    labels: list[object] = []
    dotted: str | None = None
    for shard in shards(path, "*.tar"):
        members = _members(shard)
        dotted = dotted or next((member.name for member in members if is_image(PurePosixPath(member.name))), None)
        for sample in _samples(members):
            if image := _image(sample):
                images.append(image)
                labels.append(_label(sample))
    if not images:
        rule = f"names are read up to their first dot: rename {dotted}, and all like it, to have only one"
        raise UsageError(f"{path}: no images", hint=rule if dotted else f"it should hold {', '.join(SUFFIXES)} files")
    without = [image for image, label in zip(images, labels, strict=True) if label is None]
    if without and len(without) < len(images):
        raise UsageError(
            f"{path}: {len(without)} of {len(images)} images have no label, {without[0].name} for one",
            hint="give each a .cls file with its class number, or none",
        )
    names = inside([PurePosixPath(image.name) for image in images])
    numbers, class_names = folder_classes(path, names) if without else classes(path, labels)
    return EncodedImages(
        names=[image.name for image in images],
        read=lambda index: images[index].read(),
        labels=numbers,
        class_names=class_names,
    )


def _members(shard: Path) -> list[Extent]:
    """All regular files of an archive, in its order."""
    try:
        with tarfile.open(shard, "r:") as archive:
            members = list(archive)
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        with shard.open("rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
        problem = "compressed" if compressed else f"damaged ({' '.join(str(error).split())[:120]})"
        hint = f"gunzip {shard}" if compressed else "download or copy it again"
        raise UsageError(f"{shard}: {problem}", hint=hint) from error
    refuse_names(shard, (member.name for member in members))
    if odd := next((each.name for each in members if not (each.isreg() or each.isdir()) or each.issparse()), None):
        raise UsageError(
            f"{shard}: refused, because {odd} is a link, a device or a sparse file",
            hint="pack the images again, as plain files",
        )
    _require_end(shard, max((member.offset_data + member.size for member in members), default=0))
    return [Extent(shard, member.name, member.offset_data, member.size) for member in members if member.isreg()]


def _require_end(shard: Path, end: int) -> None:
    """Refuse an archive that does not end in zeros: ``tarfile`` takes a damaged header or a cut file for the end."""
    with shard.open("rb") as file:
        file.seek(-(-end // BLOCK) * BLOCK)
        if file.read(BLOCK) != bytes(BLOCK):
            raise UsageError(f"{shard}: damaged (no end mark after byte {end})", hint="download or copy it again")


def _samples(members: Iterable[Extent]) -> Iterable[dict[str, Extent]]:
    """The samples, by name up to the first dot; in each, members by what comes after it, such as ``png``."""
    samples: dict[str, dict[str, Extent]] = {}
    for member in members:
        folder, slash, name = member.name.rpartition("/")
        stem, _, kind = name.partition(".")
        if stem:
            samples.setdefault(folder + slash + stem, {})[kind.lower()] = member
    return samples.values()


def _image(sample: Mapping[str, Extent]) -> Extent | None:
    images = [sample[suffix[1:]] for suffix in SUFFIXES if suffix[1:] in sample]
    if len(images) > 1:
        raise UsageError(
            f"{images[0].shard}: {images[0].name} and {images[1].name} are two images of one sample",
            hint="pack one image a sample: names are read up to their first dot",
        )
    return images[0] if images else None


def _label(sample: Mapping[str, Extent]) -> object:
    member = sample.get("cls") or sample.get("json")
    if member is None:
        return None
    try:
        content = json.loads(member.read(LARGEST_LABEL))
    except (UsageError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:80]
        raise UsageError(f"{member.shard}: {member.name} cannot be read ({reason})", hint=_FORM) from error
    return content.get("label") if isinstance(content, dict) else content
