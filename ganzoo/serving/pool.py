"""A bounded queue in front of a few threads: work that cannot be done soon is refused at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ganzoo.errors import GanzooError
from ganzoo.machine import cores

T = TypeVar("T")

MAX_WAITING = 1024
"""Most images that may be waiting or under way at once."""


class OverloadedError(GanzooError):
    """So much work is waiting already that the answer would come too late."""


class Pool:
    """Runs work off the event loop. ONNX Runtime and zlib release the GIL, so one thread per core keeps all cores busy.

    Args:
        threads: number of threads; None: one per usable core.
        max_waiting: most images that may be waiting or under way; a request for more than that is never accepted.
    """

    def __init__(self, threads: int | None = None, max_waiting: int = MAX_WAITING) -> None:
        self._executor = ThreadPoolExecutor(threads or cores(), thread_name_prefix="ganzoo")
        self._max_waiting = max_waiting
        self._waiting = 0

    async def run(self, images: int, work: Callable[[], T]) -> T:
        """The result of ``work``, which makes ``images`` images. Call it from one event loop only.

        Raises:
            OverloadedError: too many images are waiting.
        """
        if self._waiting + images > self._max_waiting:
            raise OverloadedError(
                f"{self._waiting} images are waiting already, and at most {self._max_waiting} may",
                hint="try again in a second, or ask for fewer images",
            )
        self._waiting += images
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._waiting -= images

    def close(self) -> None:
        """Wait for the work under way, and end the threads."""
        self._executor.shutdown()
