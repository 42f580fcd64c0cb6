"""One model's directory, ``models/<name>``: its versions, its attachments and its aliases."""

import os
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ganzoo_registry.disk import Disk
from ganzoo_registry.drawer import Drawer
from ganzoo_registry.errors import Conflict, Corrupt, Newer, NotFound, RegistryError, Told, passed_over, raised, telling
from ganzoo_registry.records import BlobInfo, LogEntry, Move, Pointer, now, user
from ganzoo_registry.refs import KIND, NAME, NUMBER

_CAUSES = ("registered", "aliased", "removed")
"""Events in the order in which one makes the next possible."""


class Shelf:
    """The records of one model.

    Everything is numbered 1, 2, 3 ... and written by create-if-absent of the number after the last, so no
    lock is needed: a process that loses a race looks again and takes the next number.
    """

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk = disk
        self.name = name
        self._directory = os.path.join(disk.root, "models", name)
        self._versions = Drawer(
            disk, self._inside("versions"), Pointer, lambda n: f"take it out: ganzoo registry rm {name}:{n}"
        )

    def places(self) -> list[Path]:
        """The directories in which registering a version, and attaching to it, make names."""
        return [Path(self._versions.directory), Path(self._inside("attachments"))]

    def settle(self) -> None:
        """Make the records of all versions, and of what was attached to them, survive a power cut."""
        if numbers := self.numbers():
            self._versions.settle()
        for number in numbers:
            if self.attachments(number):
                self._attachments(number).settle()

    def _inside(self, *parts: str) -> str:
        return os.path.join(self._directory, *parts)

    # versions

    def numbers(self) -> list[int]:
        """All version numbers that were ever given, ascending, with the removed ones, without those of lost records."""
        return self._versions.numbers()

    def is_empty(self) -> bool:
        """Whether no version was ever registered."""
        return self._versions.is_empty() and not self._given()

    def last(self) -> int:
        """The last version number that has a record; 0 if none has."""
        return self._versions.last()

    def pointer(self, number: int) -> Pointer | None:
        """The record of a version; None if the number was never given.

        Raises:
            Corrupt, Newer: it cannot be read, or is missing.
        """
        found = self._versions.read(number)
        if found is None and (gap := self.gap(number)):
            others = f", and so are those up to {gap[-1]}" if number < gap[-1] else ""
            cure = f"take all from {gap[0]} to {gap[-1]} out: ganzoo registry rm {self.name}:{number}"
            raise self._versions.lost(number, f"is missing{others}", cure if len(gap) > 1 else "")
        return found

    def gap(self, number: int) -> range:
        """The numbers around a version whose records are missing as its own is; empty if it is not."""
        return next((gap for gap in self._gaps() if number in gap), range(0))

    def _gaps(self, *, thorough: bool = True) -> list[range]:
        # In this order: a version that has been attached to or aliased is in a listing that begins after that was seen.
        given = self._given() if thorough else self._attached()
        return [gap for gap in self._versions.gaps(given) if not self._was_taken_out(gap)]

    def _was_taken_out(self, gap: range) -> bool:
        """Whether the record after missing ones is a tombstone that stands for them."""
        with suppress(RegistryError):
            tombstone = self._versions.read(gap[-1] + 1)
            return tombstone is not None and tombstone.since is not None and tombstone.since <= gap[0]
        return False

    def _given(self) -> int:
        """The largest number that is known to have been given without the versions' own records; 0 if none is.

        Something was attached to it, or an alias stood on it. What cannot be read is passed over.
        """
        given = self._attached()
        with suppress(RegistryError):
            for alias in self.aliases():
                with suppress(RegistryError):
                    given = max([given, *(move.number for move in self._history(alias, passed_over))])
        return given

    def _attached(self) -> int:
        """The largest number that something was attached to; 0 if there is none."""
        with suppress(RegistryError):
            names = self._disk.names(self._inside("attachments"))
            for number in sorted(map(int, filter(NUMBER.fullmatch, names)), reverse=True):
                with suppress(RegistryError):
                    if self.attachments(number):
                        return number
        return 0

    def pointers(self, damaged: Told = raised, *, thorough: bool = True) -> dict[int, Pointer]:
        """The records of all versions that were ever registered, ascending.

        Args:
            thorough: read all moves of aliases, too: they may be all that tells of a last version whose record is lost.
        """
        found = {}
        for number in sorted([*self.numbers(), *(gap[0] for gap in self._gaps(thorough=thorough))]):
            with telling(damaged):
                if pointer := self.pointer(number):
                    found[number] = pointer
        return found

    def live(self, damaged: Told = raised) -> dict[int, Pointer]:
        """The versions that were not removed, ascending."""
        pointers = self.pointers(damaged, thorough=False)
        return {number: pointer for number, pointer in pointers.items() if not pointer.removed}

    def newest(self) -> tuple[int, Pointer] | None:
        """The newest version that was not removed.

        Raises:
            Corrupt, Newer: the newest one's record cannot be read; it is not passed over for the one before.
        """
        for number in sorted([*self.numbers(), *(gap[-1] for gap in self._gaps())], reverse=True):
            pointer = self.pointer(number)
            if pointer and not pointer.removed:
                return number, pointer
        return None

    def add(self, manifest: str, *, since: int) -> tuple[int, Pointer]:
        """Commit a version, or return the live one that has this manifest.

        Args:
            since: no version before this number, which ``last`` was a moment ago, has the manifest; 0: any may have it.
        """
        while True:
            # Who takes the number meanwhile is seen when it is not given.
            numbers, number = self._versions.look(since, self._given())
            if found := self._find(manifest, numbers):
                break
            pointer = Pointer(manifest, self._time(numbers[-1] if numbers else self.last()))
            if self._versions.create(number, pointer):
                found = number, pointer
                break
        # A version that is found may come from a process that was stopped before this call.
        self._versions.settle()
        return found

    def bury(self, number: int, pointer: Pointer) -> None:
        """Put a tombstone in a version's place."""
        if not pointer.removed:
            tombstone = replace(pointer, removed=max(self._time(self.last()), pointer.created), by=user())
            self._versions.overwrite(number, tombstone)
        self._versions.settle()

    def _find(self, manifest: str, numbers: list[int]) -> tuple[int, Pointer] | None:
        for number in numbers:
            with suppress(Corrupt, Newer):  # one that cannot be read does not stop the next from being registered
                pointer = self.pointer(number)
                if pointer and pointer.manifest == manifest and not pointer.removed:
                    return number, pointer
        return None

    # attachments

    def attachments(self, number: int) -> list[str]:
        """The kinds that were attached to a version."""
        return self._attachments(number).names(KIND)

    def attachment(self, number: int, kind: str) -> BlobInfo | None:
        """The content that was attached to a version as ``kind``; None if none was."""
        return self._attachments(number).read(kind)

    def attach(self, number: int, kind: str, info: BlobInfo, *, force: bool) -> bool:
        """Record an attachment; False if another one is there already and ``force`` is not set."""
        self._versions.settle()  # what belongs to a version must not outlive it: who registers it may not be so far
        attachments = self._attachments(number)
        if force:
            attachments.overwrite(kind, info)
        elif not attachments.create(kind, info) and attachments.read(kind) != info:
            return False
        attachments.settle()
        return True

    def _attachments(self, number: int) -> Drawer[BlobInfo]:
        directory = self._inside("attachments", str(number))
        return Drawer(self._disk, directory, BlobInfo, lambda kind: "move it out of the registry, and make it anew")

    # aliases

    def aliases(self) -> list[str]:
        """The aliases that were ever set, and what else has a directory among them."""
        return sorted(filter(NAME.fullmatch, self._disk.directories(self._inside("aliases"))))

    def target(self, alias: str) -> int | None:
        """Number of the version that an alias stands on; None if it stands on none."""
        move = self._last_move(alias)
        if move is None or not move.version:
            return None
        if self._disk.size(self._versions.path(move.version)) is not None:
            return move.version
        place = self._versions.place(move.version)
        raise Corrupt(
            f"alias {alias!r} of {self.name!r} stands on a version whose record {place} is missing",
            hint=f"restore {place} from a copy of the registry, or {self._anew(alias)}",
        )

    def targets(self, damaged: Told = raised) -> dict[str, int]:
        """Alias -> number of the version that it stands on."""
        found = {}
        for alias in self.aliases():
            with telling(damaged):
                if number := self.target(alias):
                    found[alias] = number
        return found

    def move(self, alias: str, number: int, *, expect: int | None, since: str) -> None:
        """Move an alias to a version, 0 for none, if it stands where ``expect`` says or ``expect`` is None.

        If the record of where it stands is damaged, the new one takes its place, unless ``expect`` is given.

        Args:
            since: earliest date of the move, which is also never before the last move, whatever the clock says.
        """
        moves = self._moves(alias)
        self._versions.settle()  # as in ``attach``
        while True:
            numbers, sequence = moves.look(0)
            here, damaged = 0, False
            try:
                last = moves.read(numbers[-1]) if numbers else None
                here = last.version if last else 0
            except Corrupt:
                if expect is not None:
                    raise
                damaged = True
            if here == number:
                break
            if expect not in (None, here):
                raise Conflict(
                    f"alias {alias!r} of {self.name!r} stands on {here or 'no version'}, not on {expect or 'none'}",
                    hint=f"look at its moves with: ganzoo registry log {self.name}",
                )
            if moves.create(sequence, Move(number, max(self._time(self.last()), since), user())):
                break
        moves.settle()
        if damaged:
            moves.tidy(numbers[-1])

    def take_away(self, alias: str, *, expect: int | None) -> None:
        """Have an alias stand on no version.

        Raises:
            NotFound: it stands on none already.
            Conflict: it stands elsewhere than ``expect``.
        """
        stands = True  # also where the record of its last move is damaged
        with suppress(Corrupt):
            stands = self.target(alias) is not None
        if not stands:
            raise NotFound(
                f"alias {alias!r} of {self.name!r} stands on no version", hint=f"ganzoo registry ls {self.name}"
            )
        self.move(alias, 0, expect=expect, since="")

    def _moves(self, alias: str) -> Drawer[Move]:
        return Drawer(self._disk, self._inside("aliases", alias), Move, lambda sequence: self._anew(alias))

    def _last_move(self, alias: str) -> Move | None:
        moves = self._moves(alias)
        numbers = moves.numbers()
        return moves.read(numbers[-1]) if numbers else None

    def _anew(self, alias: str) -> str:
        return f"set the alias anew: ganzoo registry alias {self.name}:N {alias}"

    # history

    def log(self, damaged: Told = raised) -> list[LogEntry]:
        """Everything that happened to the model, in the order of time, from the records alone."""
        entries = []
        for number, pointer in self.pointers(damaged).items():
            if pointer.created:
                entries.append(LogEntry(pointer.created, "registered", number))
            if pointer.removed:
                entries.append(LogEntry(pointer.removed, "removed", number, by=pointer.by or None))
        for alias in self.aliases():
            with telling(damaged):
                entries += self._history(alias, damaged)
        return sorted(entries, key=lambda entry: (entry.when, _CAUSES.index(entry.event)))

    def check(self, damaged: Told) -> None:
        """Read every record of the model, and tell of each that cannot be read."""
        with telling(damaged):
            self.log(damaged)
        for number in self.numbers():
            with telling(damaged):
                for kind in self.attachments(number):
                    with telling(damaged):
                        self.attachment(number, kind)

    def _history(self, alias: str, damaged: Told) -> list[LogEntry]:
        """The moves of an alias, in their order."""
        found, moves = [], self._moves(alias)
        last, previous = 0, 0
        for sequence in moves.numbers():
            with telling(damaged):
                if move := moves.read(sequence):
                    gap = sequence != last + 1
                    before = None if gap else previous or None
                    found.append(LogEntry(move.at, "aliased", move.version, alias, before, move.by, gap))
                    last, previous = sequence, move.version
        return found

    def _time(self, last: int) -> str:
        """The time of the next record: now, but not before any record of the model, whatever the clock says.

        Those of a later time than now are among the last ones, unless something was removed while the clock was ahead.

        Args:
            last: the last version number, 0 for none.
        """
        here, known = now(), []
        ahead = self._versions.changed() > datetime.fromisoformat(here).timestamp()
        for number in self.numbers() if ahead else [last]:
            with suppress(RegistryError):
                if pointer := self.pointer(number):
                    known += [pointer.created, pointer.removed]
        for alias in self.aliases():
            with suppress(RegistryError):
                if move := self._last_move(alias):
                    known.append(move.at)
        return max([here, *known])
