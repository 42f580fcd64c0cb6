"""Where the folders of a tree are: in which part of a set, and below what."""

from collections.abc import Collection, Container
from itertools import takewhile
from typing import NamedTuple

from ganzoo.data import plain
from ganzoo_plugins.readers.splits import is_divided, parts_of_folders


class Place(NamedTuple):
    """The part of a set that a folder is in, and the names of the folders that it is in there, its own the last."""

    part: str
    inside: tuple[str, ...]

    def below(self, outer: tuple[str, ...]) -> str | None:
        """The first name below ``outer``, or of all where it is elsewhere: a class; None: it is no deeper."""
        inner = self.inside[len(outer) :] if self.inside[: len(outer)] == outer else self.inside
        return plain(inner[0]) if inner else None


def places_of(folders: Collection[str]) -> dict[str, Place]:
    """Where each folder is, by its path; in no part, where the names of folders do not divide the set."""
    paths = {folder: tuple(folder.split("/")) if folder else () for folder in folders}
    parts = parts_of_folders({name for names in paths.values() for name in names})
    found = {folder: next((parts[name] for name in names if name in parts), "") for folder, names in paths.items()}
    if not is_divided(found.values()):
        return {folder: Place("", names) for folder, names in paths.items()}
    places: dict[str, Place] = {}
    for part in set(found.values()):
        inside = {folder: _without_first(paths[folder], parts) for folder in paths if found[folder] == part}
        # Of seg_train/seg_train/cat, too, cat alone is left.
        again = [index for index, name in enumerate(shared(inside.values())) if part and parts.get(name) == part]
        for folder, names in inside.items():
            places[folder] = Place(part, tuple(name for index, name in enumerate(names) if index not in again))
    return places


def shared(paths: Collection[tuple[str, ...]]) -> tuple[str, ...]:
    """The outer folders that all have in common."""
    first, last = min(paths), max(paths)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return tuple(name for name, _ in same)


def _without_first(names: tuple[str, ...], parts: Container[str]) -> tuple[str, ...]:
    place = next((index for index, name in enumerate(names) if name in parts), len(names))
    return names[:place] + names[place + 1 :]
