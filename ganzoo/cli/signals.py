"""Signals that end a command."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import NoReturn

from ganzoo.errors import ToldToEnd


@contextlib.contextmanager
def ending_at_sigterm(code: int) -> Iterator[None]:
    """Have SIGTERM end what is done meanwhile with an exit code, so that nothing half-written stays behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> NoReturn:
        raise ToldToEnd(code)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
