"""Choosing the reader: ``--data`` is a folder, an array file, or the name of a data set that a plugin provides."""

from pathlib import Path

from ganzoo.data.arrays import read_array
from ganzoo.data.folder import read_folder
from ganzoo.data.imageset import ImageSet
from ganzoo.data.resize import resized
from ganzoo.errors import NotFoundError, PluginError
from ganzoo.specs import Dataset
from ganzoo.zoo import Zoo, load_target

ARRAYS = (".npy", ".npz")


def load(source: str, zoo: Zoo, *, size: int | None = None, strict: bool = False) -> ImageSet:
    """Read images into memory.

    Args:
        source: a data set's name, a folder, or an ``.npy`` or ``.npz`` file. What a data set is called means the data
            set, whatever lies in the working directory; ``./digits`` is the folder.
        zoo: resolves names.
        size: resize and centre-crop to size x size pixels; None keeps what is there (64 for a folder).
        strict: refuse a folder with unreadable images, instead of skipping them.

    Raises:
        NotFoundError: neither a path nor a name.
        UsageError: what is there cannot be used.
    """
    path = Path(source).expanduser()
    named = any(source == dataset.name for dataset in zoo.all(Dataset))
    if path.exists() and not named:
        return _read(path, source, size, strict)
    dataset = _named(source, zoo)
    images = load_target(dataset.target)()
    if not isinstance(images, ImageSet):
        raise PluginError(f"data set {source!r} returned {type(images).__name__}, not a ganzoo.data.ImageSet")
    return resized(images, size)


def _read(path: Path, source: str, size: int | None, strict: bool) -> ImageSet:
    if path.is_dir():
        return read_folder(path, size or 64, strict)
    if path.suffix.lower() in ARRAYS and path.is_file():
        return resized(read_array(path), size)
    raise NotFoundError(
        f"--data {source}: this kind of file is not read",
        hint=f"give a folder of images, a {' or '.join(ARRAYS)} file, or a name that `ganzoo plugins` lists",
    )


def _named(source: str, zoo: Zoo) -> Dataset:
    try:
        return zoo.get(Dataset, source)
    except NotFoundError as error:
        path = Path(source)
        if not path.suffix and len(path.parts) <= 1:
            raise NotFoundError(str(error), hint=f"{error.hint}; or give a folder, or an array file") from error
        hint = "check the path, or use --data digits"
        raise NotFoundError(f"--data {source}: no such file or folder", hint=hint) from error
