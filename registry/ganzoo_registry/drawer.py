"""A directory of small records of one kind, such as ``models/<name>/versions``."""

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from re import Pattern
from typing import Generic

from ganzoo_registry.disk import Disk
from ganzoo_registry.errors import Corrupt, RegistryError
from ganzoo_registry.presence import leads_nowhere, seems, size
from ganzoo_registry.records import LARGEST, Record, decode, encode
from ganzoo_registry.refs import LAST_NUMBER, NUMBER


class Drawer(Generic[Record]):
    """The records in one directory.

    Other programs leave things in any directory: a record is what has a record's name, and is a file. A link that leads
    nowhere, and what the system refuses to look at, is one, too, which cannot be read.

    Args:
        kind: what each of them is.
        cure: a record's name -> what mends it if it is damaged and no copy of the registry is at hand.
    """

    def __init__(self, disk: Disk, directory: str, kind: type[Record], cure: Callable[[str], str]) -> None:
        self._disk = disk
        self._kind: type[Record] = kind
        self._cure = cure
        self.directory = directory  # text, for a Path is slow where there are ten thousand records

    def names(self, pattern: Pattern[str]) -> list[str]:
        """The names of the records, sorted."""
        entries = self._disk.entries(self.directory)
        return sorted(name for name, is_file in entries.items() if is_file and pattern.fullmatch(name))

    def numbers(self) -> list[int]:
        """The numbers of the records that have numbers for names, ascending."""
        entries = self._disk.entries(self.directory)
        return sorted(int(name) for name, is_file in entries.items() if is_file and NUMBER.fullmatch(name))

    def is_empty(self) -> bool:
        """Whether there is no record that has a number for its name."""
        return not self._disk.holds(self.directory, NUMBER)

    def last(self) -> int:
        """The largest number of a record; 0 if there is none."""
        return next((number for number in reversed(self._taken()) if self._holds(number)), 0)

    def gaps(self, given: int = 0) -> list[range]:
        """The numbers up to the last that was given which nothing has for its name: their records are lost.

        Numbers are given one after another, and those that others' things have are passed over.

        Args:
            given: a number that was given, whether its record is there or not; 0 if none is known.
        """
        # In this order: what was there before the last record is in a listing that begins after it was seen.
        last: int = max(self.last(), given)
        taken = [0, *(number for number in self._taken() if number <= last), last + 1]
        between = [range(before + 1, after) for before, after in pairwise(taken) if after > before + 1]
        return [gap for gap in map(self._without_names, between) if gap]

    def _without_names(self, gap: range) -> range:
        """A gap in a listing without the names at its ends that are there: a listing may lack what is just replaced."""
        while gap and os.path.lexists(self.path(gap[0])):
            gap = gap[1:]
        while gap and os.path.lexists(self.path(gap[-1])):
            gap = gap[:-1]
        return gap

    def look(self, since: int, given: int = 0) -> tuple[list[int], int]:
        """The numbers of the records from ``since`` on, ascending, and the number for the next one.

        That is the first after the last one given that nothing had for its name at this moment.

        Args:
            since: 0, or what ``last`` was a moment ago: numbers are given one after another, so that no others need be
                looked for than those that follow it.
            given: see ``gaps``.
        """
        known: list[int] = [since] if since and since >= given else self.numbers()
        taken = list(self._following(max([given, *known])))
        return known + [number for number in taken[1:] if self._holds(number)], taken[-1] + 1

    def _following(self, number: int) -> Iterator[int]:
        yield number
        while os.path.lexists(self.path(number := number + 1)):
            yield number

    def _taken(self) -> list[int]:
        """The numbers that something has for its name, ascending; what it is costs more to know than its name."""
        return sorted(int(name) for name in self._disk.names(self.directory) if NUMBER.fullmatch(name))

    def _holds(self, number: int) -> bool:
        path = self.path(number)
        return seems(lambda: size(path) is not None, path)

    def read(self, name: str | int) -> Record | None:
        """A record; None if there is none of this name.

        Raises:
            Corrupt, Newer: it is damaged, or of a newer ganzoo.
        """
        data = self._disk.read(self.path(name), LARGEST)
        if data is not None:
            return decode(self._kind, data, lambda: (self.place(name), self._cure(str(name))))
        if leads_nowhere(self.path(name)):
            raise self.lost(name, "is a link that leads nowhere")
        return None

    def lost(self, name: str | int, fate: str, cure: str = "") -> Corrupt:
        """The error to raise where a record that was there is not, in words: ``fate``.

        Args:
            cure: what mends it, if that is not what mends a damaged one.
        """
        place = self.place(name)
        hint = f"restore {place} from a copy of the registry, or {cure or self._cure(str(name))}"
        return Corrupt(f"the record {place} {fate}", hint=hint)

    def create(self, name: str | int, record: Record) -> bool:
        """Write a record; False if its name is taken.

        Raises:
            RegistryError: ``name`` is a number after the last one that there is.
        """
        if name == LAST_NUMBER + 1:
            place = self.place(LAST_NUMBER)
            raise RegistryError(
                f"{place} has the last number that there is, so none is left for the next",
                hint=f"if it is no record, move {place} out of the registry",
            )
        with self._disk.staged([encode(record)]) as staged:
            return self._disk.publish(staged, Path(self.path(name)))

    def overwrite(self, name: str | int, record: Record) -> None:
        """Write a record in the place of another."""
        with self._disk.staged([encode(record)]) as staged:
            self._disk.replace(staged, Path(self.path(name)))

    def settle(self) -> None:
        """Make all names in the directory survive a power cut."""
        self._disk.settle(Path(self.directory))

    def tidy(self, name: str | int) -> None:
        """Remove a damaged record that another has taken the place of."""
        self._disk.tidy(self.path(name))

    def changed(self) -> float:
        """When a record was last written: seconds since 1970."""
        return self._disk.changed(self.directory)

    def place(self, name: str | int) -> str:
        """A record's path in the registry."""
        return Path(self.path(name)).relative_to(self._disk.root).as_posix()

    def path(self, name: str | int) -> str:
        """A record's file."""
        return os.path.join(self.directory, str(name))
