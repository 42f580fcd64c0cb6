"""From what ``--data`` says to images: a data set's name, or a path that one of the readers takes."""

import os
import re
import stat
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

from ganzoo.data import resize
from ganzoo.data.damage import naming
from ganzoo.data.decode import FILES_SIZE, decode
from ganzoo.data.imageset import EncodedImages, ImageSet
from ganzoo.data.names import is_left_behind, plain
from ganzoo.data.split import Split, resized, split, without_empty_classes
from ganzoo.errors import NotFoundError, PluginError, UsageError
from ganzoo.files import checked
from ganzoo.specs import Dataset, Reader
from ganzoo.zoo.foreign import warn
from ganzoo.zoo.names import Zoo

Progress = Callable[[int, int], None]
"""Called with how many images are done, and how many there are."""


class Source:
    """Images that were found by name or path, and are read once: when their size is asked for, or when they are loaded.

    Args:
        name: a data set's name, or a path. A data set's name means the data set, even if the working directory has a
            folder of that name; ``./digits`` is the folder.
        zoo: resolves names, and provides the readers.

    Attributes:
        dataset: what the name means; None where it is a path.

    Raises:
        NotFoundError: neither a path nor a name.
    """

    def __init__(self, name: str, zoo: Zoo) -> None:
        self.name = name
        self.dataset = named(name, zoo)
        self._zoo = zoo
        self._found: Split | ImageSet | EncodedImages | None = None

    @property
    def native(self) -> tuple[int, int]:
        """Height and width that the images have unless they are resized; image files are not decoded for it.

        Raises:
            UsageError: what is there cannot be used.
            IntegrityError: a packed set is damaged.
        """
        found = self._read()
        if isinstance(found, EncodedImages):
            return FILES_SIZE, FILES_SIZE
        shape = found.training.shape if isinstance(found, Split) else found.shape
        return shape.height, shape.width

    def load(
        self,
        *,
        size: int | None = None,
        strict: bool = False,
        held_out: float = 0.0,
        progress: Progress | None = None,
    ) -> Split:
        """Decode, resize and split the images; they are not kept here.

        Args:
            size: resize and centre-crop to size x size pixels; None keeps what is there (``FILES_SIZE`` for files).
            strict: refuse unreadable images, instead of skipping them.
            held_out: the share to hold out of a set that does not say itself what is held out.
            progress: is told how far the decoding of image files is.

        Raises:
            UsageError: what is there cannot be used, or does not fit into memory.
            IntegrityError: a packed set is damaged.
            GanzooError: the system cannot read it.
        """
        found, self._found = self._read(), None
        with naming(self.name):
            if isinstance(found, EncodedImages):
                found = decode(
                    found,
                    size or FILES_SIZE,
                    strict=strict,
                    source=self.name,
                    copies=1 if found.held_out is None and not held_out else 2,
                    progress=progress,
                )
            if isinstance(found, ImageSet):
                found = split(resize.resized(found, size), held_out, self.name)
            found = resized(found, size)
        return found if self.dataset else without_empty_classes(found)  # a named set says itself what its classes are

    def _read(self) -> Split | ImageSet | EncodedImages:
        if self._found is None:
            # It needs msgspec, which a server's environment lacks: that writes folders, by the names of this package.
            from ganzoo.data.packed import is_packed, read_packed

            path = Path(self.name).expanduser()
            if self.dataset is not None:
                self._found = _read_named(self.dataset, self._zoo)
            elif is_packed(path):
                training, held_out = read_packed(path)
                self._found = Split(training=training, held_out=held_out)
            else:
                self._found = read(path, self._zoo)
        return self._found


def load(
    source: str,
    zoo: Zoo,
    *,
    size: int | None = None,
    strict: bool = False,
    held_out: float = 0.0,
    progress: Progress | None = None,
) -> Split:
    """Read images and split them; see ``Source``.

    Raises:
        NotFoundError: neither a path nor a name.
        UsageError: what is there cannot be used.
        IntegrityError: a packed set is damaged.
    """
    return Source(source, zoo).load(size=size, strict=strict, held_out=held_out, progress=progress)


def named(source: str, zoo: Zoo) -> Dataset | None:
    """The data set that ``source`` names; None where it is a path.

    Raises:
        NotFoundError: it is neither a name nor a path.
        UsageError: it is a path that no record could keep, or no path at all.
    """
    names = {name for dataset in zoo.all(Dataset) for name in (dataset.name, zoo.qualified(dataset))}
    if source not in names:
        path = checked(source, "--data")
        require_text(source, "--data")
        if os.path.exists(path):  # unlike Path.exists, false for a name that no file can have
            return None
    try:
        return zoo.get(Dataset, source)
    except NotFoundError as error:
        if not Path(source).suffix and not re.search(r"[/\\~]", source):
            raise NotFoundError(str(error), hint=f"{error.hint}; or give a path") from error
        hint = "check the path, or use --data digits"
        raise NotFoundError(f"--data {source}: no such file or folder", hint=hint) from error


def require_text(path: str | Path, said: str) -> None:
    """Refuse a path that is not UTF-8: no record can keep it, and escaped it would not be found again.

    Args:
        said: what names the path, for the message: ``"--data"``.

    Raises:
        UsageError: it is not UTF-8, or one of its folders is not, or what it links to.
    """
    full = Path(path).expanduser()
    for each in map(str, (path, full.absolute(), full.resolve())):
        try:
            each.encode()
        except UnicodeEncodeError:
            raise UsageError(
                f"{said} {plain(each)}: this path is not UTF-8, so no record could keep it",
                hint="rename it (convmv renames whole folders), or give another path",
            ) from None


def read(path: Path, zoo: Zoo) -> ImageSet | EncodedImages:
    """What the reader for ``path`` finds there, at its own size.

    Raises:
        NotFoundError: no reader takes it.
        UsageError: what is there cannot be used.
    """
    try:
        readers = [(len(pattern), reader) for reader in zoo.all(Reader) if (pattern := _matching(reader, path))]
    except OSError as error:
        raise UsageError(
            f"--data {path}: cannot be read ({error.strerror})", hint="change its permissions, or move it elsewhere"
        ) from error
    if not readers:
        raise NotFoundError(
            f"--data {path}: this kind of file is not read",
            hint="give a folder of images, or a name or a kind of file that `ganzoo data ls` lists",
        )
    if not path.is_dir():
        _check_file(path)
    *others, last = [reader for _, reader in sorted(readers, key=lambda pair: pair[0], reverse=True)]
    for reader in others:
        try:
            return _read_by(reader, path, zoo)
        except PluginError as error:
            if isinstance(error.__cause__, OSError):  # it is the machine
                raise
            # Nobody asked for this one by name.
            warn(f"{error}; {path} is read in another way")
    return _read_by(last, path, zoo)


def _read_by(reader: Reader, path: Path, zoo: Zoo) -> ImageSet | EncodedImages:
    images = zoo.call(reader, reader.target, path)
    if not isinstance(images, ImageSet | EncodedImages):
        raise PluginError(f"reader {reader.name!r} returned {type(images).__name__}, not a ganzoo.data.ImageSet")
    return images


def _matching(reader: Reader, path: Path) -> str:
    """The longest of the reader's patterns that takes ``path``; empty if none does.

    A folder is taken for the files in it, but not for those that file managers leave behind.
    """
    if path.is_dir():
        shown = [each for each in path.iterdir() if not is_left_behind(each.name)]
        fitting = [
            pattern
            for pattern in reader.folders
            if pattern == "*" or any(fnmatchcase(each.name.lower(), pattern) and each.is_file() for each in shown)
        ]
    else:
        fitting = [pattern for pattern in reader.files if fnmatchcase(path.name.lower(), pattern)]
    return max(fitting, key=len, default="")


def _check_file(path: Path) -> None:
    """Refuse what has no content: an empty file, or a pipe, at which a reader would wait for ever."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"--data {path}: this is no file", hint="save what it gives as a file, and give that")
    if not found.st_size:
        raise UsageError(f"--data {path}: the file is empty", hint="download or copy it again")


def _read_named(dataset: Dataset, zoo: Zoo) -> Split | ImageSet:
    training = _target(dataset, dataset.target, zoo)
    if not dataset.held_out:
        return training
    held_out = _target(dataset, dataset.held_out, zoo)
    if training.shape != held_out.shape:
        raise PluginError(f"data set {dataset.name!r}: its held-out images have another shape or other classes")
    return Split(training=training, held_out=held_out)


def _target(dataset: Dataset, target: str, zoo: Zoo) -> ImageSet:
    images = zoo.call(dataset, target)
    if not isinstance(images, ImageSet):
        raise PluginError(f"data set {dataset.name!r} returned {type(images).__name__}, not a ganzoo.data.ImageSet")
    return images
