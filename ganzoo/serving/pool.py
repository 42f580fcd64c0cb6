"""A bounded queue in front of a few threads, each of which takes what waits of one generator as one batch.

No batch waits to become larger: whenever a thread is free it takes what there is, so batches grow only while all are
busy. A row does not depend on the others of its batch (an exported file is proven to be so), nor does an answer.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from ganzoo.errors import GanzooError, UsageError
from ganzoo.machine import cores
from ganzoo.runtime.generator import BATCH
from ganzoo.serving.jobs import Batch, Job, Part, run_batch
from ganzoo.serving.metrics import Metrics

MAX_WAITING = 1024
"""Most images that may be waiting or under way at once."""

DEADLINE_SECONDS = 30.0
"""Seconds after which an answer that is not there is given up, unless the server is told otherwise."""


class OverloadedError(GanzooError):
    """So much work is waiting already that the answer would come too late."""


class DeadlineError(GanzooError):
    """The answer did not come in time."""


class LeftError(GanzooError):
    """Nobody waits for the answer any more."""


class Pool:
    """Makes images off the event loop. ONNX Runtime and zlib release the GIL: one thread per core keeps all cores busy.

    Args:
        threads: number of threads; None: one per usable core.
        max_waiting: most images that may be waiting or under way; a request for more than that is never accepted.
        deadline: seconds after which an answer that is not there is given up.

    Attributes:
        draining: the server takes no new connections, and ends when all is answered.
        metrics: what was done.
        on_room: is called on the event loop whenever work has ended.

    Raises:
        UsageError: one of them is none that there can be.
    """

    def __init__(
        self, threads: int | None = None, max_waiting: int = MAX_WAITING, deadline: float = DEADLINE_SECONDS
    ) -> None:
        for name, value in (("threads", threads), ("max_waiting", max_waiting)):
            if value is not None and (type(value) is not int or value < 1):
                raise UsageError(f"{name} must be a whole number, at least 1, not {value!r}")
        if not 0 < deadline <= 86400:  # NaN is not, either
            raise UsageError(f"deadline must be more than 0 and at most 86400 seconds, not {deadline!r}")
        self._executor = ThreadPoolExecutor(threads or cores(), thread_name_prefix="ganzoo")
        self._max_waiting = max_waiting
        self._deadline = deadline
        self._waiting = 0
        self._busy = 0  # threads with a batch
        self._queue: deque[Job] = deque()
        self._lock = threading.Lock()  # of _busy, _queue and what of a job is taken
        self.draining = False
        self.metrics = Metrics()
        self.on_room: Callable[[], None] = lambda: None

    @property
    def waiting(self) -> int:
        """How many images are waiting or under way."""
        return self._waiting

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

    async def run(self, job: Job) -> bytes:
        """The answer of a job. Call it from one event loop only.

        Raises:
            OverloadedError: too many images are waiting.
            DeadlineError: the answer was not there in time; what of it had not begun never will.
            LeftError: the client left before its images were begun.
        """
        if job.images > self.room:
            raise self.refusal()
        loop = asyncio.get_running_loop()
        job.answer = loop.create_future()
        self._waiting += job.images
        try:
            with self._lock:
                self._queue.append(job)
            for _ in range(0, job.images, BATCH):  # at least as many calls as there are batches
                self._executor.submit(self._work, loop)
            async with asyncio.timeout(self._deadline) as deadline:
                return await job.answer
        except TimeoutError:
            if not deadline.expired():
                raise
            message = f"the images were not there within {self._deadline:g} seconds"
            raise DeadlineError(message, hint="ask for fewer images, or try again later") from None
        finally:
            self._waiting -= job.images
            self.on_room()

    def close(self) -> bool:
        """Take no more work; returns whether none is under way."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            return not self._busy

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """Make one batch of what waits, in a thread."""
        left: list[Job] = []
        with self._lock:
            parts = self._take(left)
            self._busy += bool(parts)
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server has given up waiting
            if left:
                loop.call_soon_threadsafe(_answer, left)
            if parts:
                loop.call_soon_threadsafe(self._deliver, self._run(parts))

    def _run(self, parts: list[Part]) -> Batch:
        try:
            return run_batch(parts)
        finally:
            with self._lock:
                self._busy -= 1

    def _take(self, left: list[Job]) -> list[Part]:
        """The longest-waiting job, or its next ``BATCH`` images, and what fits of the same generator behind it.

        A job that fits into one batch is not split, and none overtakes another of its generator. Those that nobody
        waits for are passed over, and added to ``left`` where they have no answer yet.
        """
        parts: list[Part] = []
        passed: list[Job] = []
        room = BATCH
        while self._queue and room:
            job = self._queue.popleft()
            if job.result is not None or job.answer.done():  # a part of it failed, or it was given up
                continue
            if not job.wanted():
                job.result = LeftError("the client has left")
                left.append(job)
                continue
            if parts and job.generator is not parts[0].job.generator:
                passed.append(job)
                continue
            count = min(job.images - job.taken, BATCH)
            if count > room:
                passed.append(job)
                break
            parts.append(Part(job, job.taken, count))
            job.taken += count
            room -= count
            if job.taken < job.images:
                passed.append(job)
        self._queue.extendleft(reversed(passed))
        return parts

    def _deliver(self, batch: Batch) -> None:
        """Answer those whose last images these were."""
        self.metrics.batch_images.observe(batch.images)
        self.metrics.run_seconds.observe(batch.run_seconds)
        for part in batch.parts:
            if part.first == 0:
                self.metrics.queue_seconds.observe(batch.began - part.job.since)
        _answer({part.job for part in batch.parts})


def _answer(jobs: Iterable[Job]) -> None:
    """Answer those that are complete, or failed."""
    for job in jobs:
        if job.result is None or job.answer.done():
            continue
        if isinstance(job.result, Exception):
            job.answer.set_exception(job.result)
        else:
            job.answer.set_result(job.result)
