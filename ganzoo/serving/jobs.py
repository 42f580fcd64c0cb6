"""The images that one request asks for, and batches of those that several ask for together."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo.runtime.generator import ImageGenerator

Rows = Mapping[str, NDArray[Any]]
"""Inputs of the graph by name, of one image a row."""


@dataclass(kw_only=True, eq=False)
class Job:
    """The images of one request.

    Args:
        generator: makes them.
        images: how many, at least 1.
        rows: (first, count) -> the inputs of ``count`` images from ``first`` on.
        convert: (float32 [count, C, H, W], first) -> what is kept of them, one a row.
        encode: all that was kept -> the answer.
        wanted: whether somebody still waits for it; asked in a worker thread.
    """

    generator: ImageGenerator
    images: int
    rows: Callable[[int, int], Rows]
    convert: Callable[[NDArray[np.float32], int], NDArray[Any]]
    encode: Callable[[NDArray[Any]], bytes]
    wanted: Callable[[], bool] = lambda: True
    answer: "asyncio.Future[bytes]" = field(init=False)
    since: float = field(init=False, default_factory=time.monotonic)
    taken: int = field(init=False, default=0)
    done: int = field(init=False, default=0)
    kept: NDArray[Any] | None = field(init=False, default=None)
    result: bytes | Exception | None = field(init=False, default=None)
    lock: threading.Lock = field(init=False, default_factory=threading.Lock)  # several threads may have parts of it

    def keep(self, images: NDArray[np.float32], first: int) -> None:
        """Keep images from ``first`` on; the last ones complete the answer."""
        try:
            found = self.convert(images, first)
            with self.lock:
                if self.kept is None:
                    self.kept = np.empty((self.images, *found.shape[1:]), found.dtype)
                self.kept[first : first + len(found)] = found
                self.done += len(found)
                complete = self.done == self.images
            if complete:
                self.result = self.encode(self.kept)
        except Exception as error:  # whatever it is, it is this request's alone
            self.result = error


@dataclass(frozen=True)
class Part:
    """Images ``first .. first + count`` of a job, in one batch."""

    job: Job
    first: int
    count: int


@dataclass(frozen=True)
class Batch:
    """One run of a generator: what was in it, and what it took.

    Args:
        parts: of jobs of one generator.
        began: when, by ``time.monotonic``.
        run_seconds: how long the generator took, or had taken when it failed.
    """

    parts: list[Part]
    began: float
    run_seconds: float

    @property
    def images(self) -> int:
        """How many."""
        return sum(part.count for part in self.parts)


def run_batch(parts: list[Part]) -> Batch:
    """Run the generator of all parts once, and give each job its images; an error becomes theirs, and is not raised."""
    began = time.monotonic()
    try:
        inputs = [part.job.rows(part.first, part.count) for part in parts]
        rows = {name: np.concatenate([each[name] for each in inputs]) for name in inputs[0]}
        z, labels = rows.pop("z"), rows.pop("labels", None)
        images = parts[0].job.generator.forward(z, labels, rows)
    except Exception as error:  # as ONNX Runtime's have no common base
        for part in parts:
            part.job.result = error
        return Batch(parts, began, time.monotonic() - began)
    ran = time.monotonic() - began
    first = 0
    for part in parts:
        part.job.keep(images[first : first + part.count], part.first)
        first += part.count
    return Batch(parts, began, ran)
