"""Calls foreign code, so that it can neither end ganzoo, nor be taken for a person, nor change what all share."""

import contextlib
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn, Self, cast

from ganzoo.errors import (
    GanzooError,
    PluginError,
    PluginWarning,
    ToldToEnd,
    described,
    first_line,
    missing_package,
)
from ganzoo.zoo.process import ENVIRONMENT, Aspect, duplicate, kept

Handler = Callable[[int, FrameType | None], object]

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that may end what is being done, by a ``KeyboardInterrupt`` or a ``ToldToEnd``."""

LONGEST = 500
"""Most characters of what foreign code is quoted with."""

REPAIR = "that is for the plugin's author to repair"

PATIENCE_SECONDS = 5.0
"""How long a plugin may take to load before a person is told what it is that takes so long."""

_said: set[str] = set()


def warn(line: str) -> None:
    """Tell the person something that is no error, once; the command line shows a ``PluginWarning`` as a plain line."""
    if line not in _said:
        _said.add(line)
        # Telling must not end what is being done, also where warnings are errors.
        with contextlib.suppress(PluginWarning):
            warnings.warn(line, PluginWarning, stacklevel=2)


def in_one_line(error: BaseException) -> str:
    """One line on what is wrong with a plugin: our own errors as they are, and a missing package by its name.

    Never raises, whatever the error's attributes do.
    """
    try:
        text = _words(error)
    except BaseException:  # SystemExit, too
        text = described(error)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _words(error: BaseException) -> str:
    if issubclass(type(error), ImportError):
        error = missing_package(cast("ImportError", error)) or error
    if not is_ours(error):
        return described(error)
    hint = cast("GanzooError", error).hint
    return f"{first_line(error)}; {' '.join(str(hint).split())}" if hint else first_line(error)


def is_ours(error: BaseException) -> bool:
    """Whether an error is one of ganzoo's own; by its type, because ``__class__`` may be anything."""
    return issubclass(type(error), GanzooError)


class Interrupts:
    """Tells a person's Ctrl-C, or another signal, from a ``KeyboardInterrupt`` that foreign code raises by itself.

    A signal reaches the main thread alone, so in any other thread there are none.
    """

    def __init__(self) -> None:
        self._received = 0

    def __contains__(self, error: BaseException) -> bool:
        """Whether ``error`` comes from a signal."""
        return issubclass(type(error), (KeyboardInterrupt, ToldToEnd)) and self._received > 0

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Count the signals meanwhile; what they did before, they do."""
        handlers = {number: signal.getsignal(number) for number in ENDING}
        if threading.current_thread() is not threading.main_thread():
            handlers = {}
        for number, handler in handlers.items():
            if callable(handler):
                signal.signal(number, self._counting(handler))
        try:
            yield
        finally:
            for number, handler in handlers.items():
                if callable(handler):
                    signal.signal(number, handler)

    def _counting(self, handler: Handler) -> Handler:
        def receive(number: int, frame: FrameType | None) -> object:
            self._received += 1
            return handler(number, frame)

        return receive


@contextlib.contextmanager
def contained(
    who: str, *more: Aspect, tell: Callable[[str], None] = warn, may_exit: bool = False
) -> Iterator[Interrupts]:
    """Around foreign code: what it changes of the process is put back, and said.

    Args:
        who: what to call it.
        tell: is given a line on what was put back.
        may_exit: leave ``os._exit`` as it is; otherwise it raises ``SystemExit``.
        more: what it must not change either; see ``ganzoo.zoo.process``.

    Yields:
        What tells which exception is a person's Ctrl-C; every other one is the code's own.
    """
    interrupts = Interrupts()

    def changed(names: list[str]) -> None:
        tell(f"{who} changed what all code shares, and it was put back: {', '.join(names)}")

    with interrupts.listening(), kept(changed, *more), contextlib.nullcontext() if may_exit else _staying():
        yield interrupts


@contextlib.contextmanager
def _staying() -> Iterator[None]:
    """Have ``os._exit`` raise ``SystemExit`` in this process; in one that foreign code forks, it ends that one."""
    leave, here, inside = os._exit, os.getpid(), True

    def exit_or_raise(status: int) -> NoReturn:
        if inside and os.getpid() == here:
            raise SystemExit(f"os._exit({status})")
        leave(status)

    os._exit = exit_or_raise
    try:
        yield
    finally:
        os._exit, inside = leave, False


def called(who: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call foreign code that was asked for.

    Raises:
        PluginError: it raises what is neither an error of ganzoo's own nor a lack of memory.
    """
    with contained(who) as interrupts:
        try:
            return function(*arguments)
        except BaseException as error:
            if error in interrupts or is_ours(error) or issubclass(type(error), MemoryError):
                raise
            raise PluginError(f"{who} fails: {in_one_line(error)}", hint=REPAIR) from error


@contextlib.contextmanager
def survived(who: str, signalled: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Around foreign code whose exceptions others put into words: it does not end this process without a word.

    Args:
        who: what to call it.
        signalled: whether a signal came that somebody else listens for.

    Raises:
        PluginError: it exits, or raises what only a signal should.
    """
    with contained(who) as interrupts:
        try:
            yield
        except Exception:
            raise
        except BaseException as error:
            if error in interrupts or signalled():
                raise
            raise PluginError(f"{who} would end ganzoo: {in_one_line(error)}", hint=REPAIR) from error


@contextlib.contextmanager
def trusted() -> Iterator[Interrupts]:
    """Around code of our own, which changes nothing: tells exceptions apart, and costs nothing else."""
    interrupts = Interrupts()
    with interrupts.listening():
        yield interrupts


class Patience:
    """Tells the person which plugin it is that takes long to load; by one thread, however many plugins there are."""

    def __init__(self) -> None:
        self._loading: tuple[str, float] | None = None
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    @contextlib.contextmanager
    def watching(self, who: str) -> Iterator[None]:
        """Around the load of one plugin."""
        self._loading = (who, time.monotonic())
        try:
            yield
        finally:
            self._loading = None

    def _watch(self) -> None:
        while not self._over.wait(PATIENCE_SECONDS / 5):
            loading = self._loading
            if loading is not None and time.monotonic() - loading[1] > PATIENCE_SECONDS:
                said = f"{loading[0]} is still being loaded after {PATIENCE_SECONDS:g} seconds"
                warn(f"{said}; without it: GANZOO_PLUGINS=builtin")


@contextlib.contextmanager
def loading(who: str, patience: Patience) -> Iterator[Interrupts]:
    """Around the load of foreign code: it cannot ask the person, who is told what it is that takes so long."""
    # What comes of an exit, ganzoo.zoo.trial has seen in another process.
    with patience.watching(who), _nothing_to_read(), contained(who, ENVIRONMENT, may_exit=True) as interrupts:
        yield interrupts


@contextlib.contextmanager
def _nothing_to_read() -> Iterator[None]:
    """Have stdin be at its end, for Python, for the descriptor, and for child processes that inherit it."""
    before, kept = sys.stdin, duplicate(0)
    try:
        with open(os.devnull, encoding="utf-8") as sys.stdin:
            if kept is not None:
                os.dup2(sys.stdin.fileno(), 0)
            yield
    finally:
        sys.stdin = before
        if kept is not None:
            os.dup2(kept, 0)
            os.close(kept)
