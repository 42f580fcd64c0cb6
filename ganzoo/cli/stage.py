"""Where a command speaks: stdout is for its data alone, whatever plugins and libraries print there."""

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TextIO, cast

from ganzoo.cli.streams import Dropping
from ganzoo.errors import PluginWarning

STDOUT, STDERR = 1, 2

HELP = {"-h", "--help", "--version"}
PROGRAM = "ganzoo"
COMPLETION = f"_{PROGRAM.upper()}_COMPLETE"
"""The variable by which a shell asks for completions; click makes it of the program's name."""

_data: list[TextIO] = []


def data_stream() -> TextIO:
    """Where a command's data go."""
    return _data[-1] if _data else sys.stdout


@contextlib.contextmanager
def staged(arguments: Sequence[str], out: Dropping, tell: Callable[[str], None], *, for_good: bool) -> Iterator[None]:
    """Around a command: its stdout is for data, and what is told of plugins is told as a line.

    What asks for help or completion calls no foreign code, and click prints it to stdout by itself.

    Args:
        arguments: the command line's.
        out: stdout.
        tell: is given each ``PluginWarning`` as a line.
        for_good: see ``reserved_stdout``.
    """
    place: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    if COMPLETION in os.environ:
        place = contextlib.redirect_stdout(out.plain)  # click writes bytes, for which it needs Python's own stream
    elif HELP.isdisjoint(arguments):
        place = reserved_stdout(out, for_good=for_good)
    with told(tell), place:
        yield


@contextlib.contextmanager
def reserved_stdout(out: Dropping, *, for_good: bool) -> Iterator[None]:
    """Have everything that is written to stdout meanwhile go to stderr, except for what goes to ``data_stream()``.

    That takes ``print``, descriptor 1, what child processes inherit, and threads. So foreign code needs to be called in
    no special way for that, and where ganzoo is called from Python, stdout stays the caller's.

    Args:
        out: where data go.
        for_good: leave descriptor 1 so, because the process ends next: what is printed at its exit is no data either.
    """
    before, descriptor = sys.stdout, _descriptor(out)
    kept = os.dup(STDOUT) if descriptor is not None and os.path.sameopenfile(descriptor, STDOUT) else None
    with contextlib.ExitStack() as stack:
        stack.callback(_put_back, kept, for_good)
        if kept is not None:
            out.flush()
            if descriptor == STDOUT:
                data = open(os.dup(kept), "w", encoding=out.encoding, errors=out.errors)  # noqa: SIM115 - out closes it
                stack.enter_context(out.through(data))
            os.dup2(STDERR, STDOUT, inheritable=True)
        _data.append(cast("TextIO", out))
        sys.stdout = _beside(sys.stderr)
        try:
            yield
        finally:
            sys.stdout = before
            _data.pop()


def _put_back(kept: int | None, for_good: bool) -> None:
    if kept is not None:
        if not for_good:
            os.dup2(kept, STDOUT, inheritable=True)
        os.close(kept)


def _descriptor(stream: TextIO | Dropping) -> int | None:
    try:
        number: int = stream.fileno()
    except (OSError, ValueError):  # not a real file, or a closed one
        return None
    return number


class _DroppingFile(io.FileIO):
    """A file that drops what it does not take: that nobody reads what foreign code prints does not end that code."""

    def write(self, data: Any) -> int:
        with contextlib.suppress(OSError):
            return super().write(data) or 0
        return memoryview(data).nbytes


def _beside(stderr: TextIO) -> TextIO:
    """What ``print`` writes to: stderr's file, in a stream of its own, so that who closes it closes nothing else."""
    descriptor = _descriptor(stderr)
    if descriptor is None:
        return stderr
    raw = _DroppingFile(descriptor, "w", closefd=False)
    return io.TextIOWrapper(raw, stderr.encoding, "backslashreplace", write_through=True)


@contextlib.contextmanager
def told(tell: Callable[[str], None]) -> Iterator[None]:
    """Have each ``PluginWarning`` told as a line, whatever Python's filters say; other warnings stay as they are."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def shown(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if category is PluginWarning:
                tell(str(message))
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = shown
        warnings.simplefilter("always", PluginWarning)
        yield
