"""``ganzoo`` and ``python -m ganzoo``, which is also what torchrun starts."""

import contextlib
import faulthandler
import os
import signal
import sys
from typing import NoReturn

from ganzoo.errors import ToldToEnd
from ganzoo.machine import alone

STDERR = 2


def run() -> int:
    """Run one command; returns its exit code."""
    if os.getpid() == 1:  # no moment is to be lost: to the first process of a container an unhandled signal is none
        signal.signal(signal.SIGTERM, _end)
    with contextlib.suppress(OSError, ValueError, RuntimeError):  # there is no stderr
        faulthandler.enable(STDERR)  # who crashed the process is said
    from ganzoo.cli import main

    code = main()
    if not alone():
        from ganzoo.training.torchrun import leave

        leave(code)
    return code


def _end(number: int, frame: object) -> NoReturn:
    raise ToldToEnd(128 + number)


if __name__ == "__main__":
    sys.exit(run())
