"""From PNG, JPEG and WebP files to pixels: by content, in threads, and never more than what was asked for."""

import contextlib
import io
import warnings
from collections import deque
from collections.abc import Callable, Generator, Sequence
from pathlib import Path, PurePath
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ganzoo.data.imageset import EncodedImages, ImageSet
from ganzoo.data.resize import fit
from ganzoo.errors import UsageError
from ganzoo.machine import cores

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
FORMATS = ("PNG", "JPEG", "WEBP")
"""Formats that Pillow may find by a file's content: else it would start Ghostscript for an EPS that is called .png."""

FILES_SIZE = 64
"""Pixels of a side that image files, which come in any size, are resized to unless a size is asked for."""

LARGEST = 2**28
"""Most bytes of an image file: more than any image within Pillow's limit on pixels needs when compressed."""

AHEAD = 4
"""Images that each thread may be ahead of the one that is wanted next."""

# Not concurrent.futures: an interrupt that falls into its locks leaves one of them taken, and the program hangs.
Answer = SimpleQueue[NDArray[np.uint8] | str | BaseException]

_OPENING = Lock()  # a warning becomes an error for the whole process, so for one thread at a time


def is_image(name: PurePath) -> bool:
    """Whether a relative path is named like an image, and not behind a dot, where file managers keep copies."""
    return name.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in name.parts)


def read_file(file: IO[bytes], limit: int = LARGEST) -> bytes:
    """All bytes of a file, whatever length it claims to have.

    Raises:
        UsageError: it is longer than ``limit``.
    """
    data = file.read(limit + 1)
    if len(data) > limit:
        raise UsageError(f"larger than {limit:,} bytes")
    return data


def decode(
    encoded: EncodedImages,
    size: int,
    *,
    strict: bool,
    source: str,
    progress: Callable[[int, int], None] | None = None,
) -> ImageSet:
    """Decode all images into memory, at size x size pixels.

    Images that are all grey become one channel, else three. A class without a readable image does not count; where
    one class remains it says nothing, so the images are unlabelled.

    Args:
        encoded: what to decode.
        size: in pixels.
        strict: refuse unreadable images, instead of skipping them.
        source: what the images came from, for messages.
        progress: is told how many images are done, and how many there are.

    Raises:
        UsageError: no image could be read or, with ``strict``, any image could not.
    """
    total = len(encoded.names)
    pixels = np.empty((total, 1, size, size), np.uint8)
    kept: list[int] = []
    skipped: list[str] = []
    for index, image in enumerate(decoded(encoded, size)):
        if isinstance(image, str):
            skipped.append(f"{encoded.names[index]}: {image}")
        else:
            if len(image) > pixels.shape[1]:
                pixels = np.repeat(pixels, len(image), axis=1)
            pixels[len(kept)] = image
            kept.append(index)
        if progress:
            progress(index + 1, total)
    check_skipped(source, skipped, total, strict)
    labels, class_names = remaining_classes(encoded, kept)
    return ImageSet(pixels=pixels[: len(kept)], labels=labels, class_names=class_names, skipped=tuple(skipped))


def decoded(encoded: EncodedImages, size: int) -> Generator[NDArray[np.uint8] | str, None, None]:
    """Each image's pixels [C, size, size], C = 1 or 3, or why it cannot be read; in order, in constant memory."""
    count = cores()
    jobs: SimpleQueue[tuple[int, Answer] | None] = SimpleQueue()
    waiting: deque[Answer] = deque()
    threads = [Thread(target=_work, args=(encoded, size, jobs), name="decode", daemon=True) for _ in range(count)]
    try:
        for thread in threads:
            thread.start()
        for index in range(len(encoded.names)):
            waiting.append(SimpleQueue())
            jobs.put((index, waiting[-1]))
            if len(waiting) > AHEAD * count:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())
    finally:
        with contextlib.suppress(Empty):
            while True:
                jobs.get_nowait()
        for _ in threads:
            jobs.put(None)
        for thread in threads:
            if thread.is_alive():
                thread.join()


def check_skipped(source: str, skipped: Sequence[str], total: int, strict: bool) -> None:
    """Refuse a source without a readable image or, if ``strict``, with an unreadable one.

    Raises:
        UsageError: the source is refused.
    """
    if not skipped or (len(skipped) < total and not strict):
        return
    kind = "folder" if Path(source).expanduser().is_dir() else "file"
    raise UsageError(
        f"{source}: {len(skipped)} of {total} images cannot be read; the first is {skipped[0]}",
        hint="mend or remove them, or leave out --strict to skip them"
        if len(skipped) < total
        else f"is this the right {kind}?",
    )


def remaining_classes(encoded: EncodedImages, kept: Sequence[int]) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Labels and class names of the images ``kept``, without the classes that have none of them."""
    if encoded.labels is None:
        return None, ()
    classes, labels = np.unique(encoded.labels[list(kept)], return_inverse=True)
    if len(classes) < 2:
        return None, ()
    return labels.astype(np.int64), tuple(encoded.class_names[index] for index in classes)


def _work(encoded: EncodedImages, size: int, jobs: "SimpleQueue[tuple[int, Answer] | None]") -> None:
    while job := jobs.get():
        index, answer = job
        try:
            answer.put(_decode(encoded, index, size))
        except BaseException as error:
            answer.put(error)


def _result(answer: Answer) -> NDArray[np.uint8] | str:
    result = answer.get()
    if isinstance(result, BaseException):
        raise result
    return result


def _decode(encoded: EncodedImages, index: int, size: int) -> NDArray[np.uint8] | str:
    try:
        with _open(encoded.read(index)) as image:
            return _pixels(image, size)
    except UnidentifiedImageError:
        return "not a PNG, JPEG or WebP"
    except Exception as error:  # a damaged file can make Pillow's decoders raise anything
        reason = error.strerror if isinstance(error, OSError) else None
        return " ".join((reason or str(error)).split()) or type(error).__name__


def _open(data: bytes) -> Image.Image:
    """Read an image's header; Pillow compares the size in it with ``MAX_IMAGE_PIXELS`` before it decodes a pixel."""
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data), formats=FORMATS)


def _pixels(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """The pixels [C, size, size]: upright by the EXIF tag, on white where transparent, the upper 8 of 16 bits."""
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):
        image = _upper_bits(image)
    mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", opaque.size, "white"), opaque)
    if image.mode != mode:  # or Pillow would copy it
        image = image.convert(mode)
    pixels = np.asarray(fit(image, size))
    return pixels.transpose(2, 0, 1) if mode == "RGB" else pixels[None]


def _upper_bits(image: Image.Image) -> Image.Image:
    """The upper 8 of 16 bits of grey, white where transparent: a PNG may declare one of the 65,536 values to be."""
    values = np.asarray(image)
    upper = (values >> 8).astype(np.uint8)
    upper[values == image.info.get("transparency", -1)] = 255
    return Image.fromarray(upper)
