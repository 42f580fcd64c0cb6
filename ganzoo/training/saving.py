"""Checkpoints written beside the training: it waits while its state is copied, and not for hashing and the disk."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
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

    The state that it was last given also stays in memory: it is what a run goes back to, whatever the disk does.

    Args:
        trainer: whose state is kept; as it is now, to begin with.
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

        Of several ranks only the first one writes.
        """
        self.settle()  # at most one copy waits to be written
        self._folder = path.parent
        snapshot = checkpoint.take(self._trainer)
        if self._trainer.ranks.chief:
            self._writing = self._thread.submit(_write, snapshot, path, then)
        return snapshot

    def settle(self, meanwhile: str = "training goes on") -> None:
        """Wait until nothing is being written, and tell of a failure.

        Args:
            meanwhile: what happens all the same.
        """
        try:
            self.finish()
        except GanzooError as error:
            stays = ", and the last whole checkpoint stays" if self._there() else ""
            self._note(f"{error}; {meanwhile}{stays}")

    def finish(self) -> None:
        """Wait until nothing is being written, and tell of what could not be removed.

        Raises:
            GanzooError: it could not be.
        """
        writing, self._writing = self._writing, None
        if writing is not None and (left := writing.result()):
            self._note(left)

    def _there(self) -> bool:
        return self._folder is not None and any(self._folder.glob("*.safetensors"))

    def look(self) -> None:
        """Tell of a failure, without waiting."""
        if self._writing is not None and self._writing.done():
            self.settle()


def _write(snapshot: Snapshot, path: Path, then: Callable[[], object]) -> str:
    """Returns why ``then`` failed, in a line, if it did: the file is there all the same."""
    write_atomic(path, checkpoint.encode(snapshot))
    try:
        then()
    except OSError as error:
        return f"older checkpoints than {path} stay: {error.strerror}"
    return ""
