"""The directories of runs, ``<runs>/<name>/<n>``: which there are, how one is taken, which was touched last."""

from pathlib import Path

from ganzoo.files import Unreadable, parse_object


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
    (directory / "samples").mkdir()
    (directory / "checkpoints").mkdir()
    return True


def last_touched(directory: Path) -> float:
    """Unix time when a process began to work on it, as it wrote down: the times of files change when they are copied.

    Those are taken where nothing was written down.
    """
    try:
        return float(parse_object((directory / "run.json").read_bytes())["touched"])
    except (OSError, Unreadable, KeyError, TypeError, ValueError):
        return (directory / "config.toml").stat().st_mtime
