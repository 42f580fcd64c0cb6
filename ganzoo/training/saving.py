"""Writes checkpoints beside the training, which waits while its state is copied, but not for hashing and the disk."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ganzoo.errors import GanzooError
from ganzoo.files import write_atomic
from ganzoo.training import checkpoint
from ganzoo.training.checkpoint import Snapshot
from ganzoo.training.trainer import Trainer


class Saver:
    """Writes one checkpoint at a time, in a thread of its own; a second one waits for the first.

    The last state that ``keep`` wrote also stays in memory: a run goes back to that one, whatever the disk does.

    Args:
        trainer: its state is written; until ``keep`` is called, a run goes back to its present one.
        note: is told, in the training's thread, what could not be written.
    """

    def __init__(self, trainer: Trainer, note: Callable[[str], None]) -> None:
        self.last = checkpoint.take(trainer)
        self._trainer = trainer
        self._note = note
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ganzoo-saver")
        self._writing: Future[str] | None = None
        self._folder: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()

    def keep(self, path: Path, then: Callable[[], object]) -> None:
        """Write the state as it is now, and go back to it from now on."""
        self.last = self.write(path, then)

    def write(self, path: Path, then: Callable[[], object]) -> Snapshot:
        """Write the state as it is now; once the file is there, call ``then`` in the writing thread.

        Among several ranks only the first one writes.
        """
        self.settle()  # at most one copy waits to be written
        self._folder = path.parent
        snapshot = checkpoint.take(self._trainer)
        if self._trainer.ranks.chief:
            self._writing = self._thread.submit(_write, snapshot, path, then)
        return snapshot

    def settle(self, meanwhile: str = "training goes on") -> None:
        """Wait until nothing is being written, and note a failure.

        Args:
            meanwhile: what happens in spite of a failure, for the note.
        """
        try:
            self.finish()
        except GanzooError as error:
            stays = ", and the last whole checkpoint stays" if self._there() else ""
            self._note(f"{error}; {meanwhile}{stays}")

    def settle_the_first(self) -> None:
        """Wait for a run's first checkpoint, if it is being written: a run with a log and without one cannot go on."""
        if not self._there():
            self.settle()

    def finish(self) -> None:
        """Wait until nothing is being written, and note which older checkpoints could not be removed.

        Raises:
            GanzooError: the file could not be written.
        """
        writing, self._writing = self._writing, None
        if writing is not None and (left := writing.result()):
            self._note(left)

    def _there(self) -> bool:
        return self._folder is not None and any(self._folder.glob("*.safetensors"))

    def look(self) -> None:
        """Note a failure, if there is one already, without waiting."""
        if self._writing is not None and self._writing.done():
            self.settle()


def _write(snapshot: Snapshot, path: Path, then: Callable[[], object]) -> str:
    """Write the file, then call ``then``; returns why that failed, in one line, or nothing."""
    data = checkpoint.encode(snapshot)
    try:
        write_atomic(path, data)
    except GanzooError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        with suppress(OSError):  # somebody has removed the folder since the training made sure of it
            path.parent.mkdir()
        write_atomic(path, data)
    try:
        then()
    except OSError as error:
        return f"older checkpoints than {path} stay: {error.strerror}"
    return ""
