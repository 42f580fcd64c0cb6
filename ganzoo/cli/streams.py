"""The streams that a command tells things by. Telling never ends doing: what a stream does not take is dropped."""

import codecs
import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO, cast

STANDARD = (0, 1, 2)


class Dropping:
    """A text stream that drops everything from the first failure on: its reader left, or its disk is full.

    Args:
        stream: where the text goes.

    Attributes:
        failure: the first failure; None: there was none.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | ValueError | None = None

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            return self._bytes()
        return getattr(self._stream, name)

    def _bytes(self) -> "_Bytes":
        if codecs.lookup(self._stream.encoding or "utf-8").name == "ascii":  # click would write UTF-8 there, past this
            raise AttributeError("buffer")
        return _Bytes(self)

    @property
    def plain(self) -> TextIO:
        """Where the text goes, and nothing in between."""
        return self._stream

    def write(self, text: str) -> int:
        """Pass ``text`` on, or drop it."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """Pass on bytes that are no text, or drop them."""
        stream: Any = self._stream
        self._try(lambda: (stream.flush(), getattr(stream, "buffer", stream).write(data)))

    def flush(self) -> None:
        """Pass on what waits, or drop it."""
        self._try(self._stream.flush)

    @contextlib.contextmanager
    def through(self, stream: TextIO) -> Iterator[None]:
        """Pass everything on to ``stream`` meanwhile, and close it."""
        before, self._stream = self._stream, stream
        try:
            yield
        finally:
            self.flush()
            with contextlib.suppress(OSError, ValueError):
                stream.close()
            self._stream = before

    @property
    def left(self) -> bool:
        """Whether its reader has closed the other end, which is the reader's right and no error."""
        return isinstance(self.failure, OSError) and self.failure.errno == errno.EPIPE

    def _try(self, pass_on: Callable[[], object]) -> None:
        if self.failure is not None:
            return
        try:
            pass_on()
        except (OSError, ValueError) as error:  # ValueError: somebody has closed it
            self.failure = error
            self._send_nowhere()

    def _send_nowhere(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # Python flushes once more at its end: send that nowhere
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


class _Bytes(io.BufferedIOBase):
    """The binary side of a ``Dropping``: what any text stream of Python's has."""

    def __init__(self, text: Dropping) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        given = bytes(data)
        self._text.write_bytes(given)
        return len(given)

    def flush(self) -> None:
        self._text.flush()


class _Nowhere(io.StringIO):
    """Takes text, or bytes, and keeps none."""

    def write(self, text: Any) -> int:
        return len(text)


@contextlib.contextmanager
def telling() -> Iterator[Dropping]:
    """Put streams that drop what they cannot pass on in the place of stdout and stderr meanwhile; gives stdout's.

    A sign that their encoding lacks is written as an escape. Where a stream is missing, text goes nowhere.
    """
    _fill_descriptors()
    before = sys.stdout, sys.stderr
    out, err = (Dropping(_any_text(stream)) for stream in before)
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", err)
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = before


def _fill_descriptors() -> None:
    """Open what of stdin, stdout and stderr was closed, or the next file would get its number, and its text."""
    for descriptor in STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)


def _any_text(stream: TextIO | None) -> TextIO:
    if stream is None:
        return _Nowhere()
    if reconfigure := getattr(stream, "reconfigure", None):
        with contextlib.suppress(OSError, ValueError):
            reconfigure(errors="backslashreplace")
    return stream
