"""A folder of images; sub-folders are classes."""

from pathlib import Path

import numpy as np

from ganzoo.data import EncodedImages
from ganzoo.data.decode import SUFFIXES, is_image, read_file
from ganzoo.errors import UsageError


def read(root: Path) -> EncodedImages:
    """Find every PNG, JPEG and WebP below ``root``; names that begin with a dot are passed over.

    Images in two or more sub-folders are labelled by the sub-folder's name, in sorted order; a single sub-folder says
    nothing, so its images are unlabelled.

    Raises:
        UsageError: there is no image, or images lie both beside and in class folders.
    """
    files = sorted(path for path in root.rglob("*") if is_image(path.relative_to(root)) and path.is_file())
    if not files:
        raise UsageError(
            f"{root}: no images", hint=f"it should hold {', '.join(SUFFIXES)} files, or sub-folders of them"
        )
    folders = [path.relative_to(root).parts[0] if path.parent != root else "" for path in files]
    class_names = tuple(sorted(set(folders)))
    labelled = len(class_names) > 1
    if "" in folders and labelled:
        beside = root / files[folders.index("")].name
        raise UsageError(
            f"{root}: images lie beside the class folders ({beside.name}, for one), so their class is unknown",
            hint="move them into a class folder, or give a folder with only one of the two",
        )
    number = {name: index for index, name in enumerate(class_names)}
    return EncodedImages(
        names=[str(path.relative_to(root)) for path in files],
        read=lambda index: _read(files[index]),
        labels=np.array([number[folder] for folder in folders], np.int64) if labelled else None,
        class_names=class_names if labelled else (),
    )


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return read_file(file)
