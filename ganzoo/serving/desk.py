"""All connections of a server: whose request waits for room, whose place is given to somebody else, who is too late."""

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Protocol

from ganzoo.serving.metrics import UNROUTED
from ganzoo.serving.pool import Pool

HEAD_SECONDS = 10
"""Seconds that a head may take to arrive, from the first moment of the connection or the end of the last answer."""

MOST_CONNECTIONS = 1000
SPARE_FILES = 64
"""Descriptors that connections leave to everything else, where fewer than ``MOST_CONNECTIONS`` may be open."""

HOLD_SECONDS = 1
"""Seconds that a request waits for room before it is refused, and then the seconds after which to ask again.

A refusal costs nearly as much as a small answer. Given at once to clients that ask again at once, refusals would take
nearly all of the server's time.
"""


class Client(Protocol):
    """A connection, as far as a desk knows it."""

    transport: asyncio.Transport

    def give_up_waiting(self) -> None:
        """Close it, for its head took too long to come."""

    def leave(self) -> None:
        """Close it at once."""

    def check_progress(self, now: float) -> None:
        """Close it if its client takes nothing of an answer that is there."""


class Desk:
    """All connections of a server: whose request waits for room, and whose place is given to somebody else.

    Args:
        pool: where images are made.
        most: most connections at once; None: as many as descriptors allow, at most ``MOST_CONNECTIONS``.
        clock: seconds, as ``time.monotonic``.
    """

    def __init__(self, pool: Pool, most: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.pool = pool
        self.most = _most_connections() if most is None else most
        self.clock = clock
        self.open: set[Client] = set()
        self.idle: dict[Client, float] = {}  # no request under way -> since when; the longest first
        self.held: dict[Client, Held] = {}  # whose request waits for room; the longest first
        pool.on_room = self.admit

    def tick(self) -> None:
        """Look after time: call this several times a second."""
        now = self.clock()
        for held in [each for each in self.held.values() if each.until <= now]:
            held.decide(False)
        for connection in [each for each, since in self.idle.items() if since < now - HEAD_SECONDS]:
            connection.give_up_waiting()
        for connection in list(self.open):
            connection.check_progress(now)

    async def wait_for_room(self, connection: Client, images: int) -> bool:
        """Wait until there is room for so many images, behind those that wait already; False: none came in time."""
        held = self.held[connection] = Held(images, self.clock() + HOLD_SECONDS)
        self.admit()
        try:
            return await held.decision
        finally:
            del self.held[connection]

    def admit(self) -> None:
        """Let in those that have waited longest, as far as there is room."""
        room = self.pool.room
        for held in self.held.values():
            room -= held.images
            if room < 0:
                break
            held.decide(True)

    def count(self, status: int, reason: str) -> None:
        """Count a request that is answered before it has a route."""
        self.pool.metrics.requests[UNROUTED, status] += 1
        self.pool.metrics.refused[reason] += 1

    def make_place(self) -> bool:
        """Whether one more connection fits, if need be in the place of the one that has said nothing for longest."""
        if len(self.open) < self.most:
            return True
        silent = next((each for each in self.idle if not each.transport.get_write_buffer_size()), None)
        if silent:
            silent.leave()
        return silent is not None


class Held:
    """A request for ``images`` images that waits for room until ``until``, by the desk's clock."""

    def __init__(self, images: int, until: float) -> None:
        self.images = images
        self.until = until
        self.decision: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def decide(self, admitted: bool) -> None:
        """Answer it, or refuse it; what was decided first holds."""
        if not self.decision.done():
            self.decision.set_result(admitted)


def _most_connections() -> int:
    if sys.platform == "win32":
        return MOST_CONNECTIONS
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(MOST_CONNECTIONS, files - SPARE_FILES))
