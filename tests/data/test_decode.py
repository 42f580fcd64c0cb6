"""From encoded images to pixels: order, memory, colours, classes, and what cannot be read."""

import concurrent.futures._base
import errno
import io
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath
from types import FrameType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo.data import EncodedImages, decode as decoding, is_image
from ganzoo.data.decode import AHEAD, decode, decoded, read_file
from ganzoo.errors import ExitCode, GanzooError, MissingPackageError, UsageError

Noise = Callable[..., Any]


def png(pixels: Any, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def encoded(*files: bytes | Exception, labels: Any = None, class_names: tuple[str, ...] = ()) -> EncodedImages:
    def read(index: int) -> bytes:
        content = files[index]
        if isinstance(content, Exception):
            raise content
        return content

    names = [f"{index}.png" for index in range(len(files))]
    labels = None if labels is None else np.array(labels)
    return EncodedImages(names=names, read=read, labels=labels, class_names=class_names)


def flat(value: int) -> bytes:
    return png(np.full((4, 4), value, np.uint8))


def test_many_images_come_in_order_and_untouched(noise: Noise) -> None:
    pixels = noise(300, 8, 8)
    images = decode(encoded(*map(png, pixels)), 8, strict=True, source="x")
    np.testing.assert_array_equal(images.pixels[:, 0], pixels)
    assert (images.labels, images.class_names, images.skipped) == (None, (), ())


def test_groups_are_those_of_the_images_that_can_be_read() -> None:
    source = replace(encoded(flat(1), b"", flat(3)), groups=np.array([4, 5, 6]))
    images = decode(source, 4, strict=False, source="x")
    assert images.groups is not None
    assert images.groups.tolist() == [4, 6]


def test_no_more_is_read_ahead_than_the_threads_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "cores", lambda: 3)
    read: list[int] = []
    source = EncodedImages(names=["x"] * 1000, read=lambda index: read.append(index) or flat(1))  # type: ignore[func-returns-value]
    images = decoded(source, 4)
    for done in range(50):
        next(images)
        assert len(read) <= done + 1 + 3 * AHEAD
    images.close()
    stopped = len(read)
    assert stopped < 100
    assert not any(thread.name.startswith("decode") for thread in threading.enumerate())
    assert len(read) == stopped


def test_an_image_is_what_its_content_says(noise: Noise) -> None:
    """Names say .png throughout: they are not looked at."""
    pixels = noise(8, 8, 3)
    jpeg, webp = png(pixels, "JPEG"), png(pixels, "WEBP")
    images = decode(encoded(png(pixels), jpeg, webp), 8, strict=True, source="x")
    np.testing.assert_array_equal(images.pixels[0], pixels.transpose(2, 0, 1))
    np.testing.assert_array_equal(images.pixels[1], np.asarray(Image.open(io.BytesIO(jpeg))).transpose(2, 0, 1))


@pytest.mark.parametrize("colour_at", [0, 1, 2])
def test_one_colour_image_makes_the_set_colour(colour_at: int) -> None:
    files = [flat(10), flat(20), flat(30)]
    files[colour_at] = png(np.full((4, 4, 3), (1, 2, 3), np.uint8))
    wanted = [[10] * 3, [20] * 3, [30] * 3]
    wanted[colour_at] = [1, 2, 3]
    images = decode(encoded(*files), 4, strict=True, source="x")
    assert images.pixels[:, :, 3, 3].tolist() == wanted


def test_sixteen_bits_with_alpha_stand_on_white() -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (4, 4), (10, 20, 30, 0)).save(buffer, "PNG")
    images = decode(encoded(buffer.getvalue()), 4, strict=True, source="x")
    assert (images.pixels == 255).all()


def test_labels_follow_what_can_be_read_and_classes_without_images_do_not_count() -> None:
    source = encoded(flat(1), b"no", flat(3), flat(4), labels=[3, 1, 0, 3], class_names=("a", "b", "c", "d"))
    images = decode(source, 4, strict=False, source="x")
    assert images.labels is not None
    assert (images.labels.tolist(), images.class_names) == ([1, 0, 1], ("a", "d"))
    assert images.labels.dtype == np.int64
    assert images.skipped == ("1.png: not a PNG, JPEG or WebP",)


def test_one_class_that_remains_is_none() -> None:
    images = decode(encoded(flat(1), b"", labels=[0, 1], class_names=("a", "b")), 4, strict=False, source="x")
    assert (images.labels, images.class_names) == (None, ())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"I am a text.", "not a PNG, JPEG or WebP"),
        (b"\x89PNG\r\n\x1a\n", "damaged: it has no header"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\x02IHDR\0\0", "damaged: its header is incomplete"),
        (flat(1)[:29] + bytes(4) + flat(1)[33:], "damaged, or a PNG of a form that is not read"),
        (OSError("image file is truncated"), "image file is truncated"),
        (OSError(errno.EINVAL, "Invalid argument", "/secret/place"), "Invalid argument"),
        (UsageError("larger than 5 bytes"), "larger than 5 bytes"),
        (ValueError("two\nlines"), "two lines"),
        (EOFError(), "EOFError"),
    ],
)
def test_the_reason_is_one_line_without_places(content: bytes | Exception, reason: str) -> None:
    images = decode(encoded(flat(1), content), 4, strict=False, source="x")
    assert images.skipped == (f"1.png: {reason}",)


@pytest.mark.parametrize(
    ("files", "strict", "message", "hint"),
    [
        ((flat(1), b""), True, "1 of 2", "mend or remove them, or leave out --strict to skip them"),
        ((b"", b""), True, "2 of 2", "is this the right file?"),
        ((b"", b""), False, "2 of 2", "is this the right file?"),
    ],
)
def test_refused(files: tuple[bytes, ...], strict: bool, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        decode(encoded(*files), 4, strict=strict, source="x.zip")
    assert str(caught.value).startswith(f"x.zip: {message} images cannot be read; the first is ")
    assert (caught.value.hint, caught.value.exit_code) == (hint, ExitCode.USAGE)


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("filtered", ["ignore", "default", "error"])
def test_bombs_are_refused_whatever_becomes_of_warnings(
    monkeypatch: pytest.MonkeyPatch, factor: int, filtered: Any
) -> None:
    """From their headers alone: these have no pixels behind them. Pillow only warns up to twice its limit."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 64 // factor - 1)
    bomb = png(np.zeros((64, 64), np.uint8))[:60]
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter(filtered)
        before = list(warnings.filters)
        images = decode(encoded(*[flat(1), bomb] * 40), 4, strict=False, source="x")
        assert list(warnings.filters) == before
    assert raised == []
    assert (len(images), len(images.skipped)) == (40, 40)
    assert all("Image size (4096 pixels) exceeds limit of " in line for line in images.skipped)


SYSTEM = {
    "too many open files": (OSError(errno.EMFILE, "Too many open files", "/secret/place"), "ulimit -n"),
    "the machine's open files": (OSError(errno.ENFILE, "Too many open files in system"), "close other programs"),
    "a disk that fails": (OSError(errno.EIO, "Input/output error"), "mend what the system complains of"),
    "a server that restarted": (OSError(errno.ESTALE, "Stale file handle"), "mend what the system complains of"),
    "no buffers": (OSError(errno.ENOMEM, "Cannot allocate memory"), "mend what the system complains of"),
    "no permission": (PermissionError(errno.EACCES, "Permission denied"), "change its permissions"),
    "gone meanwhile": (FileNotFoundError(errno.ENOENT, "No such file or directory"), "leave the images where they are"),
    "an answer that does not come": (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), "mend what the system"),
    "no memory": (MemoryError(), "free some memory"),
    "no memory, in Pillow's words": (OSError("out of memory error when reading image file"), "free some memory"),
}


@pytest.mark.parametrize(("error", "hint"), SYSTEM.values(), ids=SYSTEM)
@pytest.mark.parametrize("strict", [False, True])
def test_what_the_system_says_ends_the_reading(error: Exception, hint: str, strict: bool) -> None:
    """Else a set, and its digest, would depend on how the machine felt."""
    with pytest.raises(GanzooError) as caught:
        decode(encoded(flat(1), error, flat(2)), 4, strict=strict, source="x")
    assert str(caught.value).startswith("1.png: ")
    assert "\n" not in str(caught.value)
    assert "/secret/place" not in str(caught.value)
    assert (caught.value.exit_code, caught.value.__cause__) == (ExitCode.FAILURE, error)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("error", [ImportError("PIL._webp"), MissingPackageError("this needs the package x")])
def test_what_is_missing_here_ends_the_reading(error: Exception) -> None:
    """With no file left to open, Python cannot import a decoder, and calls that a missing module."""
    with pytest.raises(type(error)) as caught:
        decode(encoded(flat(1), error), 4, strict=False, source="x")
    assert caught.value is error


def test_memory_that_a_decoder_is_refused_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """libjpeg and libwebp say "broken data" for it."""
    broken = flat(1)[:45]
    assert len(decode(encoded(flat(1), broken), 4, strict=False, source="x").skipped) == 1
    monkeypatch.setattr("ganzoo.data.pixels.fits", lambda need: False)
    with pytest.raises(GanzooError, match=r"1\.png: too little memory to read it"):
        decode(encoded(flat(1), broken), 4, strict=False, source="x")


@pytest.mark.parametrize("given", [0, 1, 2, 3])
def test_as_many_threads_as_the_system_gives(monkeypatch: pytest.MonkeyPatch, given: int) -> None:
    monkeypatch.setattr(decoding, "cores", lambda: 3)
    start, left = threading.Thread.start, given

    def limited(thread: threading.Thread) -> None:
        nonlocal left
        if not left:
            raise RuntimeError("can't start new thread")
        left -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    source = encoded(*map(flat, range(20)))
    if given:
        assert decode(source, 4, strict=True, source="x").pixels[:, 0, 0, 0].tolist() == list(range(20))
    else:
        with pytest.raises(GanzooError, match="gives no thread"):
            decode(source, 4, strict=True, source="x")
    assert not any(thread.name == "decode" for thread in threading.enumerate())


class Interrupt:
    """Raises KeyboardInterrupt at the n-th line, or return, of the main thread's Python code in some files."""

    def __init__(self, after: int, *files: str | None) -> None:
        self._left = after
        self._files = files

    def __enter__(self) -> None:
        self._before = sys.gettrace()
        sys.settrace(self._called)

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _called(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code is threading.Thread.start.__code__:  # Python's own weak spot, once a thread
            sys.settrace(None)
            frame.f_trace_lines = False
            return self._started
        return self._traced if frame.f_code.co_filename in self._files else None

    def _started(self, frame: FrameType, event: str, argument: object) -> Any:
        if event == "return":
            sys.settrace(self._called)
        return self._started

    def _traced(self, frame: FrameType, event: str, argument: object) -> Any:
        self._left -= 1
        if self._left == -1:
            raise KeyboardInterrupt
        return self._traced


def test_an_interruption_at_any_place_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """The futures of the standard library fail here, or hang: a lock of theirs may stay taken."""
    monkeypatch.setattr(decoding, "cores", lambda: 2)
    source = encoded(*[flat(number) for number in range(12)])
    interrupted = 0
    while True:
        try:
            with Interrupt(interrupted, decoding.__file__, threading.__file__, concurrent.futures._base.__file__):
                decode(source, 4, strict=True, source="x")
            break
        except KeyboardInterrupt:
            interrupted += 1
    assert interrupted > 100


def test_what_is_raised_in_a_thread_comes_through() -> None:
    def read(index: int) -> bytes:
        if index == 5:
            raise KeyboardInterrupt
        return flat(1)

    with pytest.raises(KeyboardInterrupt):
        decode(EncodedImages(names=["x"] * 100, read=read), 4, strict=False, source="x")


def test_progress_is_told_of_each_image() -> None:
    told: list[tuple[int, int]] = []
    decode(encoded(flat(1), b"", flat(2)), 4, strict=False, source="x", progress=lambda *at: told.append(at))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_file_is_read_up_to_a_limit() -> None:
    assert read_file(io.BytesIO(b"12345"), 5) == b"12345"
    with pytest.raises(UsageError, match="larger than 4 bytes"):
        read_file(io.BytesIO(b"12345"), 4)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("a.png", True), ("b/c.JPeG", True), ("a.gif", False), (".a.png", False), (".b/a.png", False), ("png", False)],
)
def test_what_is_called_like_an_image(name: str, wanted: bool) -> None:
    assert is_image(PurePosixPath(name)) is wanted
