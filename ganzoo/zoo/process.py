"""What foreign code may change of this process, so that it can be put back: it is all shared with everybody else."""

import contextlib
import gc
import io
import locale
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TextIO

from ganzoo.machine import processors
from ganzoo.zoo.libraries import SWITCHES

STREAMS = ("stdin", "stdout", "stderr")

LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]

SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGPIPE,
    signal.SIGALRM,
    signal.SIGTERM,
    signal.SIGCHLD,
    signal.SIGTSTP,
)
"""The signals that come from outside, and what a program does then is the person's business or ours."""


class Aspect(NamedTuple):
    """Something that can be read and put back: ``write(read())`` changes nothing."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _put_back_environment(before: dict[str, str]) -> None:
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


def _timers() -> dict[int, tuple[float, float]]:
    """The interval timers that run; the time that is left passes by itself, and is no change."""
    kinds = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
    return {kind: (0.0, 0.0) for kind in kinds if any(signal.getitimer(kind))}


def _stop_timers(before: Mapping[int, tuple[float, float]]) -> None:
    for kind in _timers().keys() - before.keys():
        signal.setitimer(kind, 0)


def _limits() -> dict[int, tuple[int, int]]:
    return {number: resource.getrlimit(number) for number in LIMITS}


def _put_back_limits(before: Mapping[int, tuple[int, int]]) -> None:
    for number, (soft, _) in before.items():
        hard = resource.getrlimit(number)[1]
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(number, (soft, hard))


def _handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in SIGNALS}


def _put_back_handlers(before: Mapping[int, Any]) -> None:
    if threading.current_thread() is threading.main_thread():  # Python lets no other thread set them
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


SHARED = (
    Aspect("the working directory", os.getcwd, os.chdir),
    Aspect("signal handlers", _handlers, _put_back_handlers),
    Aspect("timers", _timers, _stop_timers),
    Aspect("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    Aspect("the umask", _umask, os.umask),
    Aspect("resource limits", _limits, _put_back_limits),
    Aspect("the locale", lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)),
    Aspect("the processors", processors, lambda numbers: os.sched_setaffinity(0, numbers)),
    Aspect("the garbage collector", gc.isenabled, lambda on: gc.enable() if on else gc.disable()),
)
"""What any foreign code must leave alone."""

ENVIRONMENT = Aspect("the environment", lambda: dict(os.environ), _put_back_environment)
"""What a plugin may change where it is used, for the libraries that it calls, but not by being loaded."""


@contextlib.contextmanager
def kept(changed: Callable[[list[str]], object], *more: Aspect) -> Iterator[None]:
    """Put back what is changed of this process meanwhile.

    Args:
        changed: is given the names of what was put back, if there is any.
        more: aspects beside ``SHARED``, the standard streams, and the switches of libraries.
    """
    aspects = [(aspect, _read(aspect)) for aspect in (*SHARED, *more)]
    streams = {name: getattr(sys, name) for name in STREAMS}
    switches = [(switch, switch.current()) for switch in SWITCHES]
    with _descriptors() as reopened:
        try:
            yield
        finally:
            found = [*_put_back_streams(streams, reopened())]
            found += [aspect.name for aspect, before in aspects if _put_back(aspect, before)]
            found += [switch.name for switch, before in switches if switch.put_back(before)]
            if found:
                changed(found)


def _read(aspect: Aspect) -> Any:
    """The value, or None where there is none to put back: the working directory may be gone."""
    try:
        return aspect.read()
    except OSError:
        return None


def _put_back(aspect: Aspect, before: Any) -> bool:
    """Whether it had changed."""
    if before is None or _read(aspect) == before:
        return False
    with contextlib.suppress(OSError, ValueError):
        aspect.write(before)
    return True


@contextlib.contextmanager
def _descriptors() -> Iterator[Callable[[], set[str]]]:
    """Yield a function that puts descriptors 0 to 2 back, and returns the names of those that were another file."""
    copies = {number: copy for number in range(3) if (copy := _duplicate(number)) is not None}

    def put_back() -> set[str]:
        changed = set()
        for number, copy in copies.items():
            if not _is_same_file(number, copy):
                os.dup2(copy, number, inheritable=True)
                changed.add(STREAMS[number])
        return changed

    try:
        yield put_back
    finally:
        for copy in copies.values():
            with contextlib.suppress(OSError):
                os.close(copy)


def _duplicate(number: int) -> int | None:
    try:
        return os.dup(number)
    except OSError:  # it is closed, as by ``>&-``
        return None


def _is_same_file(one: int, other: int) -> bool:
    try:
        return os.path.sameopenfile(one, other)
    except OSError:
        return False


def _put_back_streams(before: Mapping[str, TextIO | None], reopened: set[str]) -> Iterator[str]:
    """Put ``sys.stdin`` and its like back; yields the names of those that were changed or closed."""
    for number, (name, stream) in enumerate(before.items()):
        alive = stream is None or _is_open(stream)
        if getattr(sys, name) is not stream or not alive:
            setattr(sys, name, stream if alive else _opened_again(number))
            yield name
        elif name in reopened:
            yield name


def _is_open(stream: TextIO) -> bool:
    try:
        return not stream.closed
    except ValueError:  # its buffer was detached
        return False


def _opened_again(number: int) -> TextIO | None:
    """A stream like Python's own: it leaves the descriptor open."""
    try:
        raw = io.FileIO(number, "r" if number == 0 else "w", closefd=False)
    except OSError:
        return None
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)
