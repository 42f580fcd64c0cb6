"""The end of the process: what plugins left running is waited for, and not for ever."""

import os
import sys
import threading
import time
from collections.abc import Callable

PATIENCE_SECONDS = 5.0
"""How long the end may take before a person is told what it waits for."""

LIMIT_SECONDS = 60.0
"""How long it may take at all."""


def end_in_time(code: int, tell: Callable[[str], None]) -> None:
    """Have this process, which is about to end, do so: Python would wait for a thread as long as that runs.

    Args:
        code: its exit code.
        tell: is given a line on what is waited for.
    """
    if any(_left()):
        threading.Thread(target=_watch, args=(code, tell), daemon=True).start()


def _left() -> list[threading.Thread]:
    """The threads that Python waits for."""
    return [each for each in threading.enumerate() if each is not threading.main_thread() and not each.daemon]


def _watch(code: int, tell: Callable[[str], None]) -> None:
    time.sleep(PATIENCE_SECONDS)
    names = ", ".join(thread.name for thread in _left())
    tell(f"All is done, but a plugin left threads running: {names}; they have {LIMIT_SECONDS:g} seconds to end.")
    time.sleep(LIMIT_SECONDS - PATIENCE_SECONDS)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
