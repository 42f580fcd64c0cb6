"""Samples through time, as one animated WebP and as a WebP each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ganzoo.errors import IntegrityError
from ganzoo.samples.film import LOSSLESS_BYTES, encode_webp

if TYPE_CHECKING:
    from PIL.Image import Image

FrameT = TypeVar("FrameT")

MAX_FRAMES = 60
MAX_STILLS = 24
"""Most pictures that a page has for its slider."""

MAX_SIDE = 640
"""Most pixels of a frame's longer side; larger grids are made smaller."""

FRAME_MS, LAST_FRAME_MS = 100, 2000


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
    return encode_webp(iter(images), [*[FRAME_MS] * (len(images) - 1), LAST_FRAME_MS], lossless)


def stills(frames: Mapping[int, Path]) -> dict[int, bytes]:
    """Step -> a WebP of its picture, as ``animate`` would show it; at most ``MAX_STILLS``, at even distances.

    Args:
        frames: step -> picture, oldest first, at least one.

    Raises:
        GanzooError, IntegrityError: see ``animate``.
    """
    steps = evenly(list(frames), MAX_STILLS)
    images, lossless = _alike([frames[step] for step in steps])
    return {
        step: encode_webp(iter([image]), LAST_FRAME_MS, lossless) for step, image in zip(steps, images, strict=True)
    }


def evenly(frames: Sequence[FrameT], most: int) -> list[FrameT]:
    """At most ``most`` of ``frames``, the first and the last among them."""
    if len(frames) <= most:
        return list(frames)
    return [frames[round(index * (len(frames) - 1) / (most - 1))] for index in range(most)]


def _alike(frames: Sequence[Path]) -> "tuple[list[Image], bool]":
    """The pictures, all of the size of the last, and whether they are encoded without loss."""
    pictures = [_read(path) for path in frames]
    scale = min(1.0, MAX_SIDE / max(pictures[-1].size))
    width, height = (max(1, round(side * scale)) for side in pictures[-1].size)
    images = [each if each.size == (width, height) else each.resize((width, height)) for each in pictures]
    return images, len(encode_webp(iter(images[-1:]), LAST_FRAME_MS, lossless=True)) <= LOSSLESS_BYTES


def _read(path: Path) -> "Image":
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise IntegrityError(f"{path} cannot be read as a picture", hint="remove it, and ask again") from error
