"""Samples through time, as one animated WebP and as a WebP each."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ganzoo.errors import GanzooError, IntegrityError

if TYPE_CHECKING:
    from PIL.Image import Image

FrameT = TypeVar("FrameT")

MAX_FRAMES = 60
MAX_STILLS = 24
"""Most pictures that a page has for its slider."""

MAX_SIDE = 640
"""Most pixels of a frame's longer side; larger grids are made smaller."""

FRAME_MS, LAST_FRAME_MS = 100, 2000
LOSSLESS_BYTES = 48 * 1024
"""Most bytes of a frame encoded without loss; a larger one, as of photographs, is encoded with some."""

QUALITY = 80
"""libwebp's quality, 0 to 100, of frames encoded with loss."""

EFFORT = 1
"""libwebp's ``method``, 0 (fast) to 6: grids of small images become no smaller above 1."""


def animate(frames: Sequence[Path]) -> bytes:
    """One animated WebP, which repeats for ever.

    Args:
        frames: pictures, oldest first, at least one; if there are more than ``MAX_FRAMES``, the first, the last and
            others at even distances are taken. All are shown at the size of the last.

    Raises:
        GanzooError: this Pillow cannot write WebP.
        IntegrityError: a frame is no picture.
    """
    images, lossless = _alike(evenly(frames, MAX_FRAMES))
    return _encode(images, lossless=lossless)


def stills(frames: Mapping[int, Path]) -> dict[int, bytes]:
    """Step -> a WebP of its picture, as ``animate`` would show it; at most ``MAX_STILLS``, at even distances.

    Args:
        frames: step -> picture, oldest first, at least one.

    Raises:
        GanzooError, IntegrityError: see ``animate``.
    """
    steps = evenly(list(frames), MAX_STILLS)
    images, lossless = _alike([frames[step] for step in steps])
    return {step: _encode([image], lossless=lossless) for step, image in zip(steps, images, strict=True)}


def evenly(frames: Sequence[FrameT], most: int) -> list[FrameT]:
    """At most ``most`` of ``frames``, the first and the last among them."""
    if len(frames) <= most:
        return list(frames)
    return [frames[round(index * (len(frames) - 1) / (most - 1))] for index in range(most)]


def _alike(frames: Sequence[Path]) -> "tuple[list[Image], bool]":
    """The pictures, all of the size of the last, and whether they are encoded without loss."""
    from PIL import Image

    Image.init()
    if "WEBP" not in Image.SAVE_ALL:
        raise GanzooError("this Pillow cannot write WebP", hint="pip install --force-reinstall pillow")
    pictures = [_read(path) for path in frames]
    scale = min(1.0, MAX_SIDE / max(pictures[-1].size))
    width, height = (max(1, round(side * scale)) for side in pictures[-1].size)
    images = [each if each.size == (width, height) else each.resize((width, height)) for each in pictures]
    return images, len(_encode(images[-1:], lossless=True)) <= LOSSLESS_BYTES


def _read(path: Path) -> "Image":
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise IntegrityError(f"{path} cannot be read as a picture", hint="remove it, and ask again") from error


def _encode(images: "Sequence[Image]", *, lossless: bool) -> bytes:
    file = io.BytesIO()
    images[0].save(
        file,
        "WEBP",
        save_all=True,
        append_images=images[1:],
        duration=[*[FRAME_MS] * (len(images) - 1), LAST_FRAME_MS],
        loop=0,
        lossless=lossless,
        quality=0 if lossless else QUALITY,  # for frames without loss it says how hard to try
        method=EFFORT,
    )
    return file.getvalue()
