"""Signals that end a command."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import NoReturn

from ganzoo.errors import ToldToEnd

ENDING = ("SIGTERM", "SIGHUP")
"""The signals that end what is done in order; the second one says that the terminal is gone."""


@contextlib.contextmanager
def ending_at_signals(code: int | None = None) -> Iterator[None]:
    """Have SIGTERM and SIGHUP end what is done meanwhile, so that nothing half-written stays behind.

    A signal that is ignored, as ``nohup`` has SIGHUP, stays so.

    Args:
        code: the exit code; None: 128 and the signal's number.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> NoReturn:
        raise ToldToEnd(128 + number if code is None else code)

    before = {number: signal.signal(number, end) for number in heeded()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def heeded() -> list[signal.Signals]:
    """Those of ``ENDING`` that this system has and that nobody said to ignore."""
    known = [signal.Signals[name] for name in ENDING if hasattr(signal, name)]
    return [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]
