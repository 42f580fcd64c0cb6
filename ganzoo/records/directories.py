"""The directories of runs, ``<runs>/<name>/<n>``: which there are, which one is meant, who works in it.

Nothing of a run is read here but when it was begun, so that a damaged one can be found and removed.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganzoo.errors import GanzooError, NotFoundError, UsageError
from ganzoo.files import Unreadable, parse_object

LAST = "last"

PARTS = ("samples", "checkpoints")
"""Directories that every run has, from its beginning on."""


def place(reference: str, runs: Path, *, named: bool = False) -> Path:
    """The directory of a run.

    Args:
        reference: see ``Run.find``.
        named: a name alone means its newest run.

    Raises:
        NotFoundError: no such run.
    """
    if reference == LAST:
        found = numbered(runs, "config.toml")
        if not found:
            raise NotFoundError(f"no run in {runs}", hint="start one: ganzoo train --model wgan-gp")
        return max(found, key=last_touched)
    if named:
        theirs = [path for path in numbered(runs, "config.toml") if path.parent.name == reference]
        if theirs:
            return max(theirs, key=lambda path: int(path.name))
    for directory in (Path(reference), runs / reference):
        if os.path.isfile(directory / "config.toml"):  # unlike Path.is_file, false for a name that no file can have
            return directory
    raise NotFoundError(f"no run {reference!r}", hint="ganzoo runs ls lists them; or give a run's directory")


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other processes from training a run meanwhile; the system lets go when this process ends.

    Raises:
        GanzooError: another process is training it.
    """
    with (directory / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise GanzooError(
                f"another process is training {directory}", hint="wait for it, or start a run of its own"
            ) from error
        yield


def in_use(directory: Path) -> bool:
    """Whether a process is training the run."""
    try:
        with (directory / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # it was never trained, or the lock cannot be read
        return False
    return False


def numbered(runs: Path, file: str) -> list[Path]:
    """The directories ``<name>/<n>`` that have such a file; copies of runs have no number for a name."""
    paths = runs.glob(f"*/*/{file}")
    return [path.parent for path in paths if path.parent.name.isdecimal() and path.is_file()]


def claim(directory: Path) -> bool:
    """Make ``directory`` with its parts; False if another process has made it."""
    try:
        directory.mkdir()
    except FileExistsError:
        return False
    for part in PARTS:
        (directory / part).mkdir()
    return True


def require_removable(directory: Path) -> None:
    """Refuse to remove what is no run's alone: any folder may have a ``config.toml`` in it.

    Raises:
        UsageError: ``directory`` was not made by ``claim``, or the working directory lies in it.
    """
    made = (directory / "run.json").is_file() or all((directory / part).is_dir() for part in PARTS)
    if not made:
        raise UsageError(
            f"{directory} is no run: it has a config.toml, and nothing else of one",
            hint="ganzoo runs ls lists the runs",
        )
    if Path.cwd().is_relative_to(directory.resolve()):
        raise UsageError(f"the working directory lies in {directory}", hint="leave it first: cd ..")


def last_touched(directory: Path) -> float:
    """Unix time when a process began to work on it, as it wrote down: the times of files change when they are copied.

    Those are taken where nothing was written down.
    """
    try:
        return float(parse_object((directory / "run.json").read_bytes())["touched"])
    except (OSError, Unreadable, KeyError, TypeError, ValueError):
        return (directory / "config.toml").stat().st_mtime
