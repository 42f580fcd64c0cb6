"""A bounded queue in front of a few threads: work that cannot be done soon is refused at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from ganzoo.errors import GanzooError, UsageError
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

    Attributes:
        on_room: is called on the event loop whenever work has ended.

    Raises:
        UsageError: one of them is less than 1, or no whole number.
    """

    def __init__(self, threads: int | None = None, max_waiting: int = MAX_WAITING) -> None:
        for name, value in (("threads", threads), ("max_waiting", max_waiting)):
            if value is not None and (type(value) is not int or value < 1):
                raise UsageError(f"{name} must be a whole number, at least 1, not {value!r}")
        self._executor = ThreadPoolExecutor(threads or cores(), thread_name_prefix="ganzoo")
        self._max_waiting = max_waiting
        self._waiting = 0
        self._under_way: set[Future[Any]] = set()
        self.on_room: Callable[[], None] = lambda: None

    @property
    def room(self) -> int:
        """For how many images there is room."""
        return self._max_waiting - self._waiting

    def refusal(self) -> OverloadedError:
        """The error to answer with where there is too little room."""
        return OverloadedError(
            f"{self._waiting} images are waiting already, and at most {self._max_waiting} may",
            hint="try again in a second, or ask for fewer images",
        )

    async def run(self, images: int, work: Callable[[], T]) -> T:
        """The result of ``work``, which makes ``images`` images. Call it from one event loop only.

        Raises:
            OverloadedError: too many images are waiting.
        """
        if images > self.room:
            raise self.refusal()
        self._waiting += images
        try:
            future = self._executor.submit(work)
            self._under_way.add(future)
            future.add_done_callback(self._under_way.discard)
            return await asyncio.wrap_future(future)
        finally:
            self._waiting -= images
            self.on_room()

    def close(self) -> bool:
        """Take no more work; returns whether none is under way."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        return not self._under_way
