"""From PNG, JPEG and WebP files to a set: in threads, in order, and in as much memory as there is.

Only damage of the content is passed over. What the system says (too many open files, no memory, a disk that fails) ends
the reading, because a set must not depend on how the machine felt.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ganzoo.data.allocation import Allowance, allocate, require_for
from ganzoo.data.damage import NotRead, damage
from ganzoo.data.imageset import EncodedImages, ImageSet, remaining_classes
from ganzoo.data.names import plain
from ganzoo.data.pixels import decode_file, give_memory_back
from ganzoo.errors import UsageError
from ganzoo.machine import cores, memory

FILES_SIZE = 64
"""Pixels of a side that image files, which come in any size, are resized to unless a size is asked for."""

LARGEST = 2**28
"""Most bytes of an image file: more than any image within Pillow's limit on pixels needs when compressed."""

AHEAD = 4
"""Images that each thread may be ahead of the one that is wanted next."""

WAITING = 2**28
"""Most bytes of decoded images that wait for the one that is wanted next."""

DECODING = 2**30
"""Most bytes that all threads together decode in, unless a single image needs more; and a quarter of what is free."""

# Not concurrent.futures: an interrupt that falls into its locks leaves one of them taken, and the program hangs.
Answer = SimpleQueue[NDArray[np.uint8] | str | BaseException]


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
    copies: int = 1,
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
        copies: how many times the set must fit into memory, because it is split later.
        progress: is told how many images are done, and how many there are.

    Raises:
        UsageError: no image could be read or, with ``strict``, any image could not; or they do not fit into memory.
        GanzooError: the system could not read or decode an image.
    """
    total = len(encoded.names)
    require_for((total, 1, size, size), copies)
    pixels = allocate((0, 1, size, size))
    kept: list[int] = []
    skipped: list[str] = []
    for index, image in enumerate(decoded(encoded, size)):
        if isinstance(image, str):
            skipped.append(plain(f"{encoded.names[index]}: {image}"))
        else:
            if not len(pixels) or len(image) > pixels.shape[1]:
                larger = allocate((total, len(image), size, size), copies)
                larger[: len(kept)] = pixels[: len(kept)]
                pixels = larger
            pixels[len(kept)] = image
            kept.append(index)
        if progress:
            progress(index + 1, total)
    check_skipped(source, skipped, total, strict)
    labels, class_names = remaining_classes(
        None if encoded.labels is None else encoded.labels[kept], encoded.class_names
    )
    return ImageSet(
        pixels=pixels[: len(kept)],
        labels=labels,
        class_names=class_names,
        unlabelled=encoded.unlabelled,
        held_out=None if encoded.held_out is None else encoded.held_out[kept],
        groups=None if encoded.groups is None else encoded.groups[kept],
        skipped=tuple(skipped),
        notes=encoded.notes,
    )


def decoded(encoded: EncodedImages, size: int) -> Generator[NDArray[np.uint8] | str, None, None]:
    """Each image's pixels [C, size, size], C = 1 or 3, or why it cannot be read; in order, in constant memory.

    Raises:
        GanzooError: the system could not read or decode an image; a ``UsageError`` if it can never fit into memory.
    """
    give_memory_back()
    # A file of the largest kind in each thread may take half of the memory, too.
    count = int(max(1, min(cores(), len(encoded.names), memory() / (2 * LARGEST))))
    ahead = max(1, min(AHEAD * count, WAITING // (3 * size * size)))
    allowance = Allowance(min(DECODING, memory() / 4))
    jobs: SimpleQueue[tuple[int, Answer] | None] = SimpleQueue()
    waiting: deque[Answer] = deque()
    task = (encoded, size, allowance, jobs)
    threads = [Thread(target=_work, args=task, name="decode", daemon=True) for _ in range(count)]
    try:
        _start(threads)
        for index in range(len(encoded.names)):
            waiting.append(SimpleQueue())
            jobs.put((index, waiting[-1]))
            if len(waiting) > ahead:
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


def _start(threads: Sequence[Thread]) -> None:
    """Start all of them, or as many as the system gives."""
    for number, thread in enumerate(threads):
        try:
            thread.start()
        except RuntimeError as error:
            if number:
                return
            hint = "raise the limit of processes (ulimit -u) or of memory (ulimit -v)"
            raise NotRead("the system gives no thread to decode images in", hint=hint) from error


def _work(
    encoded: EncodedImages, size: int, allowance: Allowance, jobs: "SimpleQueue[tuple[int, Answer] | None]"
) -> None:
    while job := jobs.get():
        index, answer = job
        try:
            answer.put(_decode(encoded, index, size, allowance))
        except BaseException as error:
            answer.put(error)


def _result(answer: Answer) -> NDArray[np.uint8] | str:
    result = answer.get()
    if isinstance(result, BaseException):
        raise result
    return result


def _decode(encoded: EncodedImages, index: int, size: int, allowance: Allowance) -> NDArray[np.uint8] | str:
    try:
        return decode_file(encoded.read(index), size, allowance)
    except Exception as error:  # a damaged file can make Pillow's decoders raise anything
        return damage(encoded.names[index], error)
