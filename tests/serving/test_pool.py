"""Who shares a batch with whom, who is dropped, and that no answer depends on it."""

import asyncio
import random
import threading
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from starlette.applications import Starlette

from ganzoo.errors import GanzooError, UsageError
from ganzoo.images import encode_npy, encode_png, grid, to_uint8
from ganzoo.runtime.generator import BATCH, ImageGenerator
from ganzoo.serving.app import create_app
from ganzoo.serving.jobs import Job
from ganzoo.serving.pool import DeadlineError, LeftError, Pool


class Recorder:
    """A generator that makes an image of each latent's first number, and notes its batches; the first one waits."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.started, self.release = threading.Event(), threading.Event()

    def forward(self, z: NDArray[np.float32], labels: None, controls: Any) -> NDArray[np.float32]:
        self.batches.append(z[:, 0].tolist())
        self.started.set()
        assert self.release.wait(20)
        return z[:, :, None, None]

    def job(self, images: int, number: float, **options: Any) -> Job:
        return Job(
            generator=self,  # type: ignore[arg-type]
            images=images,
            rows=lambda first, count: {"z": np.full((count, 1), number, np.float32)},
            convert=to_uint8,
            encode=lambda images: images.tobytes(),
            **options,
        )


def together(recorder: Recorder, jobs: list[Job], pool: Pool | None = None) -> list[bytes | BaseException]:
    """Answers of jobs that all wait while a first one, of one image, is made."""

    async def scenario() -> list[bytes | BaseException]:
        shared = pool or Pool(1)
        first = asyncio.create_task(shared.run(recorder.job(1, 0)))
        assert await asyncio.to_thread(recorder.started.wait, 20)
        tasks = [asyncio.create_task(shared.run(job)) for job in jobs]
        await asyncio.sleep(0)
        recorder.release.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await first
        assert shared.waiting == 0
        return answers

    return asyncio.run(scenario())


def test_what_waits_of_one_generator_is_one_batch() -> None:
    recorder, other = Recorder(), Recorder()
    other.release.set()
    jobs = [recorder.job(1, 0.1), other.job(1, 0.9), recorder.job(2, 0.2), recorder.job(3, 0.3)]
    answers = together(recorder, jobs)
    assert [len(batch) for batch in recorder.batches] == [1, 6]
    assert [len(batch) for batch in other.batches] == [1]
    assert answers == [bytes([140]), bytes([242]), bytes([153] * 2), bytes([166] * 3)]


def test_a_request_that_fits_is_not_split_and_one_that_does_not_is() -> None:
    recorder = Recorder()
    jobs = [recorder.job(20, 0.1), recorder.job(20, 0.2), recorder.job(70, 0.3), recorder.job(1, 0.4)]
    answers = together(recorder, jobs)
    assert [len(batch) for batch in recorder.batches] == [1, 20, 20, BATCH, BATCH, 70 - 2 * BATCH + 1]
    assert [len(answer) for answer in answers if isinstance(answer, bytes)] == [20, 20, 70, 1]


def test_nobody_is_dispatched_whose_client_has_left() -> None:
    recorder = Recorder()
    answers = together(recorder, [recorder.job(5, 0.1, wanted=lambda: False), recorder.job(5, 0.2)])
    assert [len(batch) for batch in recorder.batches] == [1, 5]
    assert isinstance(answers[0], LeftError)
    assert answers[1] == bytes([153] * 5)


def test_nobody_is_dispatched_whose_time_is_over() -> None:
    recorder = Recorder()

    async def scenario() -> None:
        pool = Pool(1, deadline=0.2)
        tasks = [asyncio.create_task(pool.run(recorder.job(5, 0.1))) for _ in range(2)]
        for task in tasks:
            with pytest.raises(DeadlineError) as caught:
                await task
            assert str(caught.value) == "the images were not there within 0.2 seconds"
        assert pool.waiting == 0
        recorder.release.set()
        assert await pool.run(recorder.job(1, 0.2)) == bytes([153])

    asyncio.run(scenario())
    assert [len(batch) for batch in recorder.batches] == [5, 1]


def test_images_that_are_not_finite_are_their_own_requests_alone() -> None:
    recorder = Recorder()
    bad, good = together(recorder, [recorder.job(1, np.nan), recorder.job(1, 0.2)])
    assert [len(batch) for batch in recorder.batches] == [1, 2]
    assert isinstance(bad, GanzooError)
    assert good == bytes([153])


@pytest.mark.parametrize("deadline", [0, -1.0, float("nan"), float("inf")])
def test_deadlines_that_there_cannot_be(deadline: float) -> None:
    with pytest.raises(UsageError, match="deadline must be more than 0"):
        Pool(deadline=deadline)


def test_no_answer_depends_on_its_neighbours(
    connect: Callable[[Starlette], httpx.AsyncClient],
    generators: dict[str, ImageGenerator],
    tell: Callable[[str], None],
) -> None:
    """250 random requests, or 10,000 in full, of 32 clients at a time; to the byte those of the library."""
    count, rng = 5 * settings.default.max_examples, random.Random(1)  # type: ignore[union-attr]
    wrong: list[tuple[str, dict[str, str | int]]] = []
    parts: list[int] = []

    async def ask(client: httpx.AsyncClient) -> None:
        name, n, seed = rng.choice(["pets", "plain"]), rng.choice([1, 1, 1, 2, 5, 16, 40]), rng.randrange(2**64)
        label, form = rng.choice([None, "cat", "0"]) if name == "pets" else None, rng.choice(["npy", "grid"])
        query: dict[str, str | int] = {"n": n, "seed": seed, "format": form}
        if label is not None:
            query["label"] = label
        parts.append(n)
        answer = await client.get(f"/v1/models/{name}/sample", params=query)
        images, _ = generators[name].pixels(n, seed, label)
        if answer.content != (encode_npy(images) if form == "npy" else encode_png(grid(images))):
            wrong.append((name, query))

    async def client(app: Starlette) -> None:
        async with connect(app) as session:
            for _ in range(count // 32 + 1):
                await ask(session)

    async def scenario() -> dict[str, float]:
        pool = Pool(1)
        app = create_app(generators, pool)
        await asyncio.gather(*(client(app) for _ in range(32)))
        return {name: value for name, _, value in pool.metrics.batch_images.samples()}

    batches = asyncio.run(scenario())
    assert wrong == []
    tell(f"requests compared to the byte: {len(parts)}, in {batches['_count']} batches")
    assert batches["_sum"] == sum(parts)
