"""A tree of files, whether it is a folder, a ZIP or a tar: which are images, in which order, and what labels them.

Labels stand in StyleGAN's ``dataset.json`` (dataset_tool.py of NVlabs/stylegan3), whose folders mean nothing; else in
WebDataset's ``name.cls`` or ``name.json`` beside ``name.png``; else folders are classes. What lies in a folder called
``val`` or ``test`` is never trained on (``splits.py``).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from posixpath import splitext
from typing import Any, NamedTuple

from ganzoo import UsageError
from ganzoo.data import (
    LARGEST,
    SUFFIXES,
    EncodedImages,
    Unreadable,
    damage,
    decode_text,
    is_left_behind,
    order,
    parse_json,
    plain,
)
from ganzoo_plugins.readers.forms import hint_for
from ganzoo_plugins.readers.labels import classes, settled
from ganzoo_plugins.readers.names import counted, normal, not_read
from ganzoo_plugins.readers.places import places_of, shared
from ganzoo_plugins.readers.splits import divide, is_divided, part_to_train_on, parts_of_shards

LABELS = "dataset.json"
BESIDE = (".cls", ".json")
"""Suffixes of files that label the image of the same name, in the order in which they count."""

LARGEST_LABEL = 2**20
"""Most bytes of a ``.cls`` or ``.json`` file, and of ``dataset.json`` for what is not an image's name or label."""

AN_IMAGE = 2**12
"""Most bytes that ``dataset.json`` may have for an image's label and what surrounds it."""

_FORM = f'{LABELS} should be {{"labels": [["00000/1.png", 3], …]}}, each image once, or {{"labels": null}}'


class Entry(NamedTuple):
    """A file: its POSIX path below the root, what ``Tree.read`` finds it by, and the shard that it is in, if any.

    Paths are text, for there may be millions of them.
    """

    name: str
    where: Any
    shard: str = ""

    @property
    def folder(self) -> str:
        """The path of the folder that it is in; empty at the root."""
        return self.name.rpartition("/")[0]

    @property
    def stem(self) -> tuple[str, str]:
        """What an image and the file that labels it have in common."""
        return self.shard, splitext(self.name)[0]

    @property
    def suffix(self) -> str:
        """``.png``, say, in lower case."""
        return splitext(self.name)[1].lower()


@dataclass(frozen=True)
class Tree:
    """All files of a folder or archive.

    Args:
        path: what is read.
        entries: the files, in any order.
        read: (an entry's ``where``, most bytes) -> its bytes; raises UsageError for more. Called from several threads.
        notes: what was passed over already.
    """

    path: Path
    entries: Sequence[Entry]
    read: Callable[[Any, int], bytes]
    notes: tuple[str, ...] = ()


@dataclass
class _Found:
    """Images with a label each, and the files that said so."""

    images: list[Entry]
    labels: list[object]
    read: list[Entry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def images_of(tree: Tree) -> EncodedImages:
    """The images of a tree, sorted by their paths; nothing is decoded.

    Raises:
        UsageError: there is no image, or what labels them contradicts what is there.
    """
    images: list[Entry] = []
    others: list[Entry] = []
    for entry in _shown(tree.entries):
        (images if entry.suffix in SUFFIXES else others).append(entry)
    if not images:
        raise UsageError(f"{tree.path}: no images", hint=hint_for(tree.path, [entry.name for entry in others]))
    images.sort(key=lambda entry: (order(entry.name), entry.shard))
    found = _by_dataset(tree, images, others) or _by_files_beside(tree, images, others) or _by_folders(tree, images)
    kept = divide(tree.path, _parts(found.images), found.labels)
    used = [found.images[row] for row in kept.rows]
    labels, class_names, unlabelled = classes([found.labels[row] for row in kept.rows])
    return EncodedImages(
        names=[entry.name for entry in used],
        read=lambda index: tree.read(used[index].where, LARGEST),
        labels=labels,
        class_names=class_names,
        unlabelled=unlabelled,
        held_out=kept.held_out,
        notes=(
            *tree.notes,
            *not_read(entry.name for entry in set(others).difference(found.read)),
            *found.notes,
            *kept.notes,
        ),
    )


def _shown(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries without what systems leave behind."""
    hidden: dict[str, bool] = {}
    for entry in entries:
        folder, _, name = entry.name.rpartition("/")
        if folder not in hidden:
            hidden[folder] = any(map(is_left_behind, folder.split("/")))
        if not hidden[folder] and not is_left_behind(name):
            yield entry


def _by_dataset(tree: Tree, images: list[Entry], others: Sequence[Entry]) -> _Found | None:
    """Labels of ``dataset.json``; None: there is none, or it is somebody else's, without ``labels``."""
    named = [entry for entry in others if entry.name.rpartition("/")[2] == LABELS]
    _refuse_nested(tree, images, [entry for entry in named if entry.folder])
    there = [entry for entry in named if not entry.folder]
    if not there:
        return None
    given: dict[tuple[str, str], object] = {}
    for entry in there:
        own = [image.name for image in images if image.shard == entry.shard]
        labels = _labels(tree, entry, own)
        if labels is None:
            return None
        given |= {(entry.shard, name): label for name, label in labels.items()}
    if unknown := given.keys() - {(entry.shard, plain(entry.name)) for entry in (*images, *others)}:
        raise UsageError(
            f"{tree.path}: {LABELS} has labels for {len(unknown)} images that are not there, {min(unknown)[1]} for one",
            hint=_FORM,
        )
    found = [given.get((image.shard, plain(image.name))) for image in images]
    return _Found(images, found, there)


def _refuse_nested(tree: Tree, images: Sequence[Entry], nested: Sequence[Entry]) -> None:
    """Refuse labels of ``dataset.json`` below the root, where nothing says what its names start from."""
    names = [image.name for image in images]
    for entry in nested:
        found: dict[str, object] | None = None
        with suppress(UsageError):
            found = _labels(tree, entry, names)
        if found is not None:
            raise UsageError(
                f"{tree.path}: {entry.name} is not at the root, so it is not read",
                hint=f"give the folder that {LABELS} is in; in an archive, pack the images again from that folder",
            )


def _labels(tree: Tree, entry: Entry, images: Sequence[str]) -> dict[str, object] | None:
    """Name -> label, from ``{"labels": [[name, label], …]}``; empty where it says null, None where it says nothing."""
    # Bounded by the images, because a list of a million empty lists is small on disk and large in memory.
    largest = LARGEST_LABEL + sum(AN_IMAGE + 6 * len(name) for name in images)
    try:
        content = parse_json(tree.read(entry.where, largest), largest)
        if not isinstance(content, dict):
            raise Unreadable("it is not a JSON object")
        if "labels" not in content:
            return None
        entries = content["labels"] or []
        given = {plain(normal(name)): label for name, label in entries}
    except Exception as error:  # zipfile's for a damaged member have no common base; or lists of another form
        reason = damage(f"{tree.path}: {LABELS}", error)[:120]
        raise UsageError(f"{tree.path}: {LABELS} cannot be read ({reason})", hint=_FORM) from error
    if len(given) != len(entries):
        raise UsageError(f"{tree.path}: {LABELS} has {len(entries) - len(given)} labels too many", hint=_FORM)
    return given


def _by_files_beside(tree: Tree, images: list[Entry], others: Sequence[Entry]) -> _Found | None:
    """Labels of the files beside the images; None: no image has such a label."""
    labelling = [entry for entry in others if entry.suffix in BESIDE]
    stems = {image.stem for image in images} if labelling else set()
    beside: dict[tuple[str, str], list[Entry]] = {}
    for entry in labelling:
        if entry.stem in stems:
            beside.setdefault(entry.stem, []).append(entry)
    if not beside:
        return None
    labels = {stem: _label_beside(tree, entries) for stem, entries in beside.items()}
    if all(label is None for label in labels.values()):
        return None
    samples = [image for image in images if image.stem in labels or _sample(image) not in labels]
    if len({image.stem for image in samples}) < len(samples):
        _refuse_two(tree.path, samples)
    read = [entry for entries in beside.values() for entry in entries]
    found = _Found(samples, [labels.get(image.stem) for image in samples], read)
    kept = set(samples)
    fields = [image.name for image in images if image not in kept]
    found.notes += counted(fields, "images that are further fields of samples")
    return found


def _label_beside(tree: Tree, entries: Sequence[Entry]) -> object:
    """A number, a name, None, or whatever else stands there: the content of a .cls file, ``label`` of a .json file."""
    entry = min(entries, key=lambda entry: BESIDE.index(entry.suffix))
    if sum(each.suffix == entry.suffix for each in entries) > 1:
        return Unreadable(f"several files label {plain(entry.stem[1])}")
    try:
        text = decode_text(tree.read(entry.where, LARGEST_LABEL)).strip()
        try:
            content = parse_json(text)
        except Unreadable:
            if entry.suffix == ".cls":
                return settled(text)
            raise
    except Exception as error:  # as above
        name = plain(entry.name)
        return Unreadable(f"{name} cannot be read ({damage(f'{tree.path}: {name}', error)[:120]})")
    return settled(content.get("label") if isinstance(content, dict) else content)


def _sample(image: Entry) -> tuple[str, str]:
    """The sample that an image is a field of, by WebDataset's rule: names are read up to their first dot."""
    folder, slash, name = image.name.rpartition("/")
    return image.shard, f"{folder}{slash}{name.partition('.')[0] or name}"


def _refuse_two(path: Path, images: Sequence[Entry]) -> None:
    """Refuse two images of one sample: which of them is meant by its label, nothing says."""
    seen: dict[tuple[str, str], Entry] = {}
    for image in images:
        if other := seen.get(image.stem):
            raise UsageError(
                f"{path}: {plain(other.name)} and {plain(image.name)} are two images of one sample",
                hint="give each image a name of its own",
            )
        seen[image.stem] = image


def _by_folders(tree: Tree, images: list[Entry]) -> _Found:
    """The first folder of each image is its class; folders that hold all images, and the names of parts, are none."""
    places = places_of({image.folder for image in images})
    parts = _parts(images)
    training = part_to_train_on(tree.path, parts)
    trained = [part == training for part in parts]
    outer = shared({places[image.folder].inside for image in compress(images, trained)})
    named = {folder: place.below(outer) for folder, place in places.items()}
    labels: list[object] = [named[image.folder] for image in images]
    beside = [image.name for image, label in compress(zip(images, labels, strict=True), trained) if label is None]
    if beside and any(compress(labels, trained)):
        raise UsageError(
            f"{tree.path}: images lie beside the class folders ({plain(beside[0])}, for one), "
            "so their class is unknown",
            hint="move them into a class folder, or give a folder with only one of the two",
        )
    return _Found(images, labels)


def _parts(images: Sequence[Entry]) -> list[str]:
    """The part of the set that each image is in, by its folders, else by its shard; empty where neither divides it."""
    places = places_of({image.folder for image in images})
    if is_divided({place.part for place in places.values()}):
        return [places[image.folder].part for image in images]
    return parts_of_shards([image.shard for image in images])
