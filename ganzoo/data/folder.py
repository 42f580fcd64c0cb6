"""A folder of images; sub-folders are classes."""

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ganzoo.data.imageset import ImageSet
from ganzoo.data.resize import fit
from ganzoo.errors import UsageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
FORMATS = ("PNG", "JPEG", "WEBP")
"""By content: Pillow looks past the suffix, and would start Ghostscript for an EPS that is called .png."""


def read_folder(root: Path, size: int, strict: bool) -> ImageSet:
    """Read every PNG, JPEG and WebP below ``root``, upright by its EXIF tag, on white where it is transparent.

    Images in two or more sub-folders are labelled by the sub-folder's name, in sorted order; a single sub-folder says
    nothing, so its images are unlabelled. A sub-folder without a readable image does not count. Images that are all
    grey become one channel, else three. Names that begin with a dot are passed over: file managers and notebooks keep
    copies there.

    Raises:
        UsageError: no image could be read; images lie both beside and in class folders; or, with ``strict``, any
            image is unreadable.
    """
    files = sorted(path for path in root.rglob("*") if _is_image(path.relative_to(root)) and path.is_file())
    if not files:
        raise UsageError(
            f"{root}: no images", hint=f"it should hold {', '.join(SUFFIXES)} files, or sub-folders of them"
        )
    folders = [path.relative_to(root).parts[0] if path.parent != root else "" for path in files]
    if "" in folders and len(set(folders)) > 1:
        beside = root / files[folders.index("")].name
        raise UsageError(
            f"{root}: images lie beside the class folders ({beside.name}, for one), so their class is unknown",
            hint="move them into a class folder, or give a folder with only one of the two",
        )
    read, skipped = [], []
    for index, path in enumerate(files):
        decoded = _decode(path, size)
        if isinstance(decoded, str):
            skipped.append(f"{path.relative_to(root)}: {decoded}")
        else:
            read.append((index, decoded))
    if skipped and (strict or not read):
        raise UsageError(
            f"{root}: {len(skipped)} of {len(files)} images cannot be read; the first is {skipped[0]}",
            hint="mend or remove them, or leave out --strict to skip them" if read else "is this the right folder?",
        )
    class_names = tuple(sorted({folders[index] for index, _ in read}))
    labelled = len(class_names) > 1
    labels = np.array([class_names.index(folders[index]) for index, _ in read], np.int64) if labelled else None
    return ImageSet(
        pixels=_stack([pixels for _, pixels in read]),
        labels=labels,
        class_names=class_names if labelled else (),
        skipped=tuple(skipped),
    )


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.parts)


def _decode(path: Path, size: int) -> NDArray[np.uint8] | str:
    """A file's pixels [C, size, size], or why it could not be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                return _pixels(image, size)
    except Exception as error:  # a damaged file can make Pillow's decoders raise anything
        return " ".join(str(error).split()).replace(str(path), "file") or type(error).__name__


def _pixels(image: Image.Image, size: int) -> NDArray[np.uint8]:
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):
        upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
    mode = "L" if upright.mode in ("1", "L", "LA") else "RGB"
    if upright.has_transparency_data:
        opaque = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", opaque.size, "white"), opaque)
    pixels = np.asarray(fit(upright.convert(mode), size))
    return pixels.transpose(2, 0, 1) if mode == "RGB" else pixels[None]


def _stack(images: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    channels = max(len(image) for image in images)
    return np.stack([np.broadcast_to(image, (channels, *image.shape[1:])) for image in images])
