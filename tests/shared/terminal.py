"""A terminal of a given width, and what stands on it."""

import contextlib
import fcntl
import os
import pty
import struct
import termios
import threading
from collections.abc import Iterator

import pyte
import pytest

LINES = 400


class Terminal:
    """What was written to a terminal."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.seen = bytearray()

    @property
    def text(self) -> str:
        """All that was written, with what moves the cursor."""
        return self.seen.decode()

    def lines(self, columns: int | None = None) -> list[str]:
        """What stands there in the end, on this terminal or on one of another width."""
        screen = pyte.Screen(columns or self.columns, LINES)
        pyte.ByteStream(screen).feed(bytes(self.seen))
        # Of each line only what was written to: ``screen.display`` looks at every cell, which takes ten times as long.
        written = (screen.buffer[number] for number in sorted(screen.buffer))
        lines = ("".join(line[column].data for column in range(max(line, default=-1) + 1)) for line in written)
        return [line.rstrip() for line in lines if line.strip()]

    def wraps(self) -> list[str]:
        """The lines that this terminal breaks because they are longer than it is wide."""
        return [line for line in self.lines(10 * self.columns) if len(line) > self.columns]


@contextlib.contextmanager
def terminal(columns: int) -> Iterator[Terminal]:
    """Have stdout and stderr be a terminal meanwhile; it is read as it is written, because it holds some kilobytes."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    made = Terminal(columns)
    reader = threading.Thread(target=_read, args=(master, made.seen))
    reader.start()
    with os.fdopen(slave, "w", encoding="utf-8") as file, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", "xterm")
        patch.delenv("COLUMNS", raising=False)
        patch.setattr("sys.stderr", file)
        patch.setattr("sys.stdout", file)
        yield made
    reader.join(timeout=20)
    os.close(master)


def _read(descriptor: int, into: bytearray) -> None:
    with contextlib.suppress(OSError):  # Linux says EIO when the other end is closed
        while chunk := os.read(descriptor, 4096):
            into.extend(chunk)
