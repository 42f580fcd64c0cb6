"""One model's directory, ``models/<name>``: its versions, its attachments and its aliases."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ganzoo_registry.disk import Disk
from ganzoo_registry.errors import Conflict, Corrupt
from ganzoo_registry.records import BlobInfo, LogEntry, Move, Pointer, Record, decode, encode, now, user
from ganzoo_registry.refs import NAME, NUMBER


class Shelf:
    """The records of one model.

    Everything is numbered 1, 2, 3 ... and written by create-if-absent of the number after the last, so no
    lock is needed: a process that loses a race looks again and takes the next number.
    """

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk = disk
        self.name = name
        self._directory = disk.root / "models" / name

    # versions

    def numbers(self) -> list[int]:
        """All version numbers that were ever given, ascending, with the removed ones."""
        return self._numbers(self._directory / "versions")

    def pointer(self, number: int) -> Pointer | None:
        """The record of a version; None if the number was never given."""
        return self._record(Pointer, self._version(number))

    def live(self) -> dict[int, Pointer]:
        """The versions that were not removed, ascending."""
        return {number: pointer for number, pointer in self._pointers() if pointer.removed is None}

    def newest(self) -> int | None:
        """Number of the newest version that was not removed. A damaged one counts, so that it is not overlooked."""
        for number in reversed(self.numbers()):
            try:
                pointer = self.pointer(number)
            except Corrupt:
                return number
            if pointer and pointer.removed is None:
                return number
        return None

    def add(self, manifest: str) -> tuple[int, Pointer]:
        """Commit a version, or return the live one that has this manifest."""
        while True:
            numbers = self.numbers()
            if found := self._find(manifest, numbers):
                break
            number, pointer = max(numbers, default=0) + 1, Pointer(manifest, now())
            if self._create(self._version(number), encode(pointer)):
                found = number, pointer
                break
        # A version that is found may come from a process that was stopped before this call.
        self._disk.settle(self._directory / "versions")
        return found

    def bury(self, number: int, pointer: Pointer) -> None:
        """Put a tombstone in a version's place."""
        if pointer.removed is None:
            tombstone = replace(pointer, removed=max(now(), pointer.created), by=user())
            self._overwrite(self._version(number), encode(tombstone))
        self._disk.settle(self._directory / "versions")

    # attachments

    def attachments(self, number: int) -> list[str]:
        """The kinds that were attached to a version."""
        names = self._disk.names(self._directory / "attachments" / str(number))
        return sorted(name for name in names if not name.startswith("."))  # rsync's unfinished files start with a dot

    def attachment(self, number: int, kind: str) -> BlobInfo | None:
        """The content that was attached to a version as ``kind``; None if none was."""
        return self._record(BlobInfo, self._attachment(number, kind))

    def attach(self, number: int, kind: str, info: BlobInfo, *, force: bool) -> bool:
        """Record an attachment; False if another one is there already and ``force`` is not set."""
        path = self._attachment(number, kind)
        if force:
            self._overwrite(path, encode(info))
        elif not self._create(path, encode(info)) and self.attachment(number, kind) != info:
            return False
        self._disk.settle(path.parent)
        return True

    # aliases

    def aliases(self) -> list[str]:
        """The aliases that were ever set."""
        names = self._disk.names(self._directory / "aliases")
        return sorted(name for name in names if NAME.fullmatch(name) and self._moves(name))

    def target(self, alias: str) -> int | None:
        """Number of the version that an alias stands on; None if it was never set."""
        moves = self._moves(alias)
        return self._move(alias, moves[-1]).version if moves else None

    def move(self, alias: str, number: int, *, expect: int | None, since: str) -> None:
        """Move an alias, if it stands where ``expect`` says (0: nowhere) or ``expect`` is None.

        Args:
            since: earliest date of the move, which is also never before the last move, whatever the clock says.
        """
        while True:
            moves = self._moves(alias)
            last = self._move(alias, moves[-1]) if moves else Move(0, since, "")
            if last.version == number:
                break
            if expect is not None and last.version != expect:
                here = last.version or "no version"
                raise Conflict(
                    f"alias {alias!r} of {self.name!r} stands on {here}, not on {expect or 'none'}",
                    hint=f"look at its moves with: ganzoo registry log {self.name}",
                )
            record = Move(number, max(now(), since, last.at), user())
            if self._create(self._alias(alias) / str(max(moves, default=0) + 1), encode(record)):
                break
        self._disk.settle(self._alias(alias))

    # history

    def log(self) -> list[LogEntry]:
        """Everything that happened to the model, in the order of time, from the records alone."""
        entries = []
        for number, pointer in self._pointers():
            entries.append(LogEntry(pointer.created, "registered", number))
            if pointer.removed is not None:
                entries.append(LogEntry(pointer.removed, "removed", number, by=pointer.by))
        for alias in self.aliases():
            previous = None
            for sequence in self._moves(alias):
                move = self._move(alias, sequence)
                entries.append(LogEntry(move.at, "aliased", move.version, alias, previous, move.by))
                previous = move.version
        return sorted(entries, key=lambda entry: entry.when)

    # files

    def _version(self, number: int) -> Path:
        return self._directory / "versions" / str(number)

    def _attachment(self, number: int, kind: str) -> Path:
        return self._directory / "attachments" / str(number) / kind

    def _alias(self, alias: str) -> Path:
        return self._directory / "aliases" / alias

    def _numbers(self, directory: Path) -> list[int]:
        return sorted(int(name) for name in self._disk.names(directory) if NUMBER.fullmatch(name))

    def _pointers(self) -> list[tuple[int, Pointer]]:
        found = ((number, self.pointer(number)) for number in self.numbers())
        return [(number, pointer) for number, pointer in found if pointer]

    def _find(self, manifest: str, numbers: list[int]) -> tuple[int, Pointer] | None:
        for number in numbers:
            with suppress(Corrupt):  # one damaged version does not stop the next from being registered
                pointer = self.pointer(number)
                if pointer and pointer.manifest == manifest and pointer.removed is None:
                    return number, pointer
        return None

    def _moves(self, alias: str) -> list[int]:
        return self._numbers(self._alias(alias))

    def _move(self, alias: str, sequence: int) -> Move:
        path = self._alias(alias) / str(sequence)
        return decode(Move, self._disk.read(path) or b"", self._place(path))

    def _record(self, kind: type[Record], path: Path) -> Record | None:
        data = self._disk.read(path)
        return None if data is None else decode(kind, data, self._place(path))

    def _place(self, path: Path) -> str:
        return path.relative_to(self._disk.root).as_posix()

    def _create(self, path: Path, data: bytes) -> bool:
        with self._disk.staged([data]) as staged:
            return self._disk.publish(staged, path)

    def _overwrite(self, path: Path, data: bytes) -> None:
        with self._disk.staged([data]) as staged:
            self._disk.replace(staged, path)
