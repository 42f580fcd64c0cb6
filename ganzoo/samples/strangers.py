"""A person's own images where samples are to be written: neither may replace the others, or be taken for them."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePath

from ganzoo.data.names import is_image, is_left_behind
from ganzoo.errors import UsageError


def refuse_strangers(output: Path, own: Callable[[Path], bool]) -> None:
    """Refuse a directory that has, itself or in its folders, images that no sampling wrote.

    Args:
        own: whether an image may be one of a set that was written before.

    Raises:
        UsageError: names the first of them.
    """
    if stranger := next((path for path in _images(output) if not own(path)), None):
        raise UsageError(
            f"{output} has other images, {stranger.relative_to(output)} for one: readers would take both",
            hint="choose another -o, for these samples alone",
        )


def _images(output: Path) -> Iterator[Path]:
    """Images in a directory and in its folders, but for what systems leave behind and what may not be looked at."""
    with os.scandir(output) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if is_left_behind(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                with suppress(PermissionError), os.scandir(entry) as inner:
                    yield from (Path(each.path) for each in inner if is_image(PurePath(each.name)))
            elif is_image(PurePath(entry.name)):
                yield Path(entry.path)
