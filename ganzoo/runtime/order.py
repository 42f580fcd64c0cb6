"""Work that several threads share, whose results come in order: ONNX Runtime and encoders release the GIL."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

AHEAD = 2
"""Results for each thread that may wait to be taken: enough to keep it busy, and few enough for constant memory."""


def in_order(work: Callable[[ItemT], ResultT], items: Iterable[ItemT], workers: int) -> Generator[ResultT, None, None]:
    """The results of ``work`` for each item, in the order of the items, as memory allows: few are made ahead.

    Args:
        work: is called from several threads.
        items: there may be any number of them.
        workers: number of threads, at least 1.
    """
    if workers == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="ganzoo") as pool:
        ahead = deque[Future[ResultT]]()
        try:
            for item in items:
                ahead.append(pool.submit(work, item))
                if len(ahead) > AHEAD * workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
