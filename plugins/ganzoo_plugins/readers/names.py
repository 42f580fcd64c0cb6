"""Names of files, and of the members of archives."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ganzoo import UsageError
from ganzoo.data import is_left_behind, order

KINDS_SHOWN = 5

_NUMBERED = re.compile(r"(.*?)[0-9]+-of-([0-9]{1,9})(?![0-9])")


_DRIVE = re.compile("[A-Za-z]:")


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


def beside(path: Path, read: Sequence[Path]) -> list[str]:
    """What lies in a folder beside the files that are read there, and what is missing, in lines for a person."""
    if not path.is_dir():
        return []
    known = set(read)
    others = [each for each in path.iterdir() if each not in known and not is_left_behind(each.name)]
    folders = [each.name for each in others if each.is_dir()]
    return [
        *missing([each.name for each in read]),
        *not_read(each.name for each in others if not each.is_dir()),
        *counted(folders, "folders that are not read"),
    ]


def missing(names: Iterable[str]) -> list[str]:
    """How many shards are not there of as many as names such as ``train-00002-of-00005.parquet`` promise."""
    there = Counter((match[1], int(match[2])) for name in names if (match := _NUMBERED.match(name)))
    return [
        f"shards that are not there: {count - found:,} of {count:,} ({begin}*)"
        for (begin, count), found in sorted(there.items())
        if found < count
    ]


def not_read(names: Iterable[str]) -> list[str]:
    """How many files are of kinds that are not read, by suffix, with one of them for each."""
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for name in sorted(names, key=order):
        kind = PurePosixPath(name).suffix.lower() or "no suffix"
        first.setdefault(kind, name)
        counts[kind] += 1
    if not counts:
        return []
    told = ", ".join(f"{count:,} {kind} ({first[kind]})" for kind, count in counts.most_common(KINDS_SHOWN))
    more = f", and {len(counts) - KINDS_SHOWN} more kinds" if len(counts) > KINDS_SHOWN else ""
    return [f"kinds of files that are not read: {told}{more}"]


def counted(names: Sequence[str], what: str) -> list[str]:
    """How many there are of something that is passed over, and the first of them; nothing if there are none."""
    return [f"{what}: {len(names):,} ({min(names, key=order)}, for one)"] if names else []


def refuse_names(path: Path, names: Iterable[tuple[str, bool]]) -> None:
    """Refuse an archive that was made to write outside the folder where somebody unpacks it, or to be misread.

    Nothing is unpacked here, but an archive with such names is no data set.

    Args:
        names: each name, and whether it is a folder's, which may occur again where something was appended.

    Raises:
        UsageError: a name is absolute, has ``..`` or a backslash in it, or a file's occurs twice.
    """
    seen: set[str] = set()
    for name, is_folder in names:
        if name.startswith("/") or "\\" in name or "\0" in name or _DRIVE.match(name) or ".." in name.split("/"):
            raise UsageError(
                f"{path}: refused, because it holds the name {name!r:.80}",
                hint="names should be relative and plain, such as 'cats/1.png'; pack the images again",
            )
        if not is_folder:
            if (place := normal(name)) in seen:
                raise UsageError(f"{path}: holds {name!r:.80} twice", hint="pack the images again, each once")
            seen.add(place)


def normal(name: str) -> str:
    """A member's name as the paths of files are: ``./a.png`` is ``a.png``."""
    return str(PurePosixPath(name))
