"""A person's own images where samples are to be written: neither may replace the others, or be taken for them."""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

from ganzoo.data.names import is_image
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
    for path in sorted(output.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from (each for each in path.iterdir() if is_image(PurePath(each.name)))
        elif is_image(PurePath(path.name)):
            yield path
