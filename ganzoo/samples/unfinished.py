"""What a set needs until it is whole, so that it can be gone on with after a kill: a hidden directory, removed then."""

import contextlib
import fcntl
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError, UsageError
from ganzoo.files import Unreadable, cannot_write, parse_object, write_atomic

RECORD = "record.json"


class Unfinished:
    """The directory, ``.partial`` in a set's own or ``.NAME.partial`` beside its file: names that no reader takes.

    Args:
        place: the directory.
        output: what it is for, for messages.
    """

    def __init__(self, place: Path, output: Path) -> None:
        self.place = place
        self._output = output
        self._asked: Mapping[str, Any] = {}

    def seed(self) -> int | None:
        """The seed of what is unfinished; None: nothing is.

        Raises:
            GanzooError: the record cannot be read.
        """
        asked, _ = self._read()
        return int(asked["seed"]) if asked else None

    @contextlib.contextmanager
    def held(self, asked: Mapping[str, Any], begun: Callable[[], bool]) -> Iterator[int]:
        """Keep other processes away meanwhile. Gives how many images are there already; of none, nothing is left.

        Args:
            asked: what the set is made of.
            begun: whether something of it is in its place, at the end.

        Raises:
            UsageError: something else is unfinished there.
            GanzooError: another process is writing it, or the record cannot be read.
        """
        before, done = self._read()
        if before and before != asked:
            key = next(key for key in {**before, **asked} if before.get(key) != asked.get(key))
            raise UsageError(
                f"{self._output} is unfinished, and was asked for otherwise: {key} was {before.get(key)!r:.80},"
                f" and is {asked.get(key)!r:.80}",
                hint=f"ask as before, which goes on with it; or choose another -o; or remove {self.place}",
            )
        self._asked = asked
        self.place.mkdir(exist_ok=True)
        with (self.place / "lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise GanzooError(
                    f"another process is writing {self._output}", hint="wait for it, or choose another -o"
                ) from error
            try:
                yield done
            finally:
                if not (before or self._read()[1] or begun()):
                    self.remove()

    def commit(self, done: int) -> None:
        """Record that the first ``done`` images will be there after a kill."""
        try:
            write_atomic(self.place / RECORD, json.dumps({"asked": self._asked, "done": done}).encode())
        except GanzooError as error:  # what a person knows of is the set
            reason = error.__cause__
            raise (cannot_write(self._output, reason) if isinstance(reason, OSError) else error) from error

    def remove(self) -> None:
        """Leave nothing, for the set is whole. The record goes first: what it promises is there as long as it is."""
        (self.place / RECORD).unlink(missing_ok=True)
        shutil.rmtree(self.place, ignore_errors=True)

    def _read(self) -> tuple[dict[str, Any], int]:
        """What was asked for, and how many images of it are there."""
        try:
            found = parse_object((self.place / RECORD).read_bytes())
            int(found["asked"]["seed"])
            return dict(found["asked"]), int(found["done"])
        except (FileNotFoundError, NotADirectoryError):
            return {}, 0
        except (Unreadable, KeyError, TypeError, ValueError) as error:
            raise GanzooError(f"{self.place / RECORD} is damaged", hint=f"start anew: remove {self.place}") from error
