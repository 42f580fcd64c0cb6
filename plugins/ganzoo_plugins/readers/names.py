"""Names of files, and of the members of archives."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ganzoo import UsageError
from ganzoo.data import is_left_behind, order


def shards(path: Path, pattern: str) -> list[Path]:
    """The files of a folder whose names ``pattern`` takes in lower case, in order; or the one file ``path``."""
    if not path.is_dir():
        return [path]
    found = (
        each
        for each in path.iterdir()
        if fnmatchcase(each.name.lower(), pattern) and not is_left_behind(each.name) and each.is_file()
    )
    return sorted(found, key=lambda each: order(each.name))


def refuse_names(path: Path, names: Iterable[str]) -> None:
    """Refuse an archive that was made to write outside the folder where somebody unpacks it, or to be misread.

    Nothing is unpacked here, but an archive with such names is no data set.

    Raises:
        UsageError: a name is absolute, has ``..`` or a backslash in it, or occurs twice.
    """
    seen: set[PurePosixPath] = set()
    for name in names:
        if name.startswith("/") or "\\" in name or "\0" in name or name[1:2] == ":" or ".." in name.split("/"):
            raise UsageError(
                f"{path}: refused, because it holds the name {name!r:.80}",
                hint="names should be relative and plain, such as 'cats/1.png'; pack the images again",
            )
        if (place := PurePosixPath(name)) in seen:  # './a.png' is 'a.png'
            raise UsageError(f"{path}: holds {name!r:.80} twice", hint="pack the images again, each once")
        seen.add(place)
