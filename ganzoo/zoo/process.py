"""What foreign code may change of this process, so that it can be put back: it is all shared with everybody else."""

import builtins
import contextlib
import gc
import io
import json
import locale
import math
import operator
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple, TextIO, cast

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


MODULES = (builtins, json, math, os, os.path, signal, subprocess, sys, threading, time)
"""Modules of Python's own whose functions everybody calls; builtins first, because without it nothing else goes."""

OF_ITS_OWN = {"_", "_exit", "last_exc", "last_type", "last_value", "last_traceback", "path", *STREAMS}
"""Names in them that change without anybody's doing, that plugins may change, or that are put back elsewhere."""


class Aspect(NamedTuple):
    """Something that can be read and put back: ``write(read())`` changes nothing."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]
    same: Callable[[Any, Any], bool] = operator.eq


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


def _put_back_tracing(before: tuple[Any, Any]) -> None:
    sys.settrace(before[0])
    sys.setprofile(before[1])


def _filters() -> list[Any]:
    return list(warnings.filters)


def _same_for_others(now: list[Any], before: list[Any]) -> bool:
    """Whether the filters that take all warnings of a kind of Python's own are the same; libraries add finer ones."""
    one, other = ([each for each in filters if _is_wide(*each)] for filters in (now, before))
    return one == other


def _is_wide(action: str, message: Any, category: Any, module: Any, line: int) -> bool:
    return message is None and module is None and getattr(category, "__module__", "") == "builtins"


def _put_back_filters(before: list[Any]) -> None:
    finer = [each for each in warnings.filters if each not in before and not _is_wide(*each)]
    warnings.resetwarnings()  # which also has each warning decided anew
    cast("list[Any]", warnings.filters).extend([*finer, *before])


SHARED = (
    Aspect("the filters of warnings", _filters, _put_back_filters, _same_for_others),
    Aspect("trace functions", lambda: (sys.gettrace(), sys.getprofile()), _put_back_tracing),
    Aspect("the working directory", os.getcwd, os.chdir),
    Aspect("signal handlers", _handlers, _put_back_handlers),
    Aspect("timers", _timers, _stop_timers),
    Aspect("the limit of digits", sys.get_int_max_str_digits, sys.set_int_max_str_digits),
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
    streams = {name: (stream := getattr(sys, name), _is_open(stream)) for name in STREAMS}
    switches = [(switch, switch.current()) for switch in SWITCHES]
    names = [(module.__dict__, _names(module)) for module in MODULES]
    with _descriptors() as reopened:
        try:
            yield
        finally:
            # First, and by methods alone: what a function is called by may be anything.
            left = [(now["__name__"], now.copy(), before, now.update(before)) for now, before in names]
            found = [*_changed_names(left), *_put_back_streams(streams, reopened())]
            found += [aspect.name for aspect, before in aspects if _put_back(aspect, before)]
            found += [switch.name for switch, before in switches if switch.put_back(before)]
            if found:
                changed(found)


def _names(module: ModuleType) -> dict[str, Any]:
    names = module.__dict__.copy()
    for name in OF_ITS_OWN:
        names.pop(name, None)
    return names


def _changed_names(left: Iterable[tuple[str, dict[str, Any], dict[str, Any], None]]) -> Iterator[str]:
    """The names that stood for something else: of each module its own name, how it was left, and how it was before."""
    for module, after, before, _ in left:
        yield from (f"{module}.{name}" for name, value in before.items() if after.get(name, before) is not value)


def _read(aspect: Aspect) -> Any:
    """The value, or None where there is none to put back: the working directory may be gone."""
    try:
        return aspect.read()
    except OSError:
        return None


def _put_back(aspect: Aspect, before: Any) -> bool:
    """Whether it had changed."""
    if before is None or aspect.same(_read(aspect), before):
        return False
    with contextlib.suppress(OSError, ValueError):
        aspect.write(before)
    return True


@contextlib.contextmanager
def _descriptors() -> Iterator[Callable[[], set[str]]]:
    """Yield a function that puts descriptors 0 to 2 back, and returns the names of those that were another file."""
    copies = {number: copy for number in range(3) if (copy := duplicate(number)) is not None}

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


def duplicate(number: int) -> int | None:
    """Another number of the file that a descriptor stands for; None: it is closed, as by ``>&-``."""
    try:
        return os.dup(number)
    except OSError:
        return None


def _is_same_file(one: int, other: int) -> bool:
    try:
        return os.path.sameopenfile(one, other)
    except OSError:
        return False


def _put_back_streams(before: Mapping[str, tuple[TextIO | None, bool]], reopened: set[str]) -> Iterator[str]:
    """Put ``sys.stdin`` and its like back; yields the names of those that were changed or closed meanwhile."""
    for number, (name, (stream, was_open)) in enumerate(before.items()):
        closed = was_open and not _is_open(stream)
        if getattr(sys, name) is not stream or closed:
            setattr(sys, name, _opened_again(number) if closed else stream)
            yield name
        elif name in reopened:
            yield name


def _is_open(stream: TextIO | None) -> bool:
    try:
        return stream is not None and not stream.closed
    except ValueError:  # its buffer was detached
        return False


def _opened_again(number: int) -> TextIO | None:
    """A stream like Python's own: it leaves the descriptor open."""
    try:
        raw = io.FileIO(number, "r" if number == 0 else "w", closefd=False)
    except OSError:
        return None
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)
