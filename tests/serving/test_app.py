"""What needs a hand inside: overload, bugs, and a device that this machine may not have."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.applications import Starlette

from ganzoo.errors import GanzooError
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.serving.app import create_app
from ganzoo.serving.page import landing_page

PATH = "/v1/models/m/sample"

Pixels = tuple[NDArray[np.uint8], NDArray[np.int64] | None]


class Stub:
    """A generator whose ``pixels`` does what the test says."""

    def __init__(self, generator: ImageGenerator, pixels: Callable[..., Pixels], device: str = "cpu") -> None:
        self.card, self.sha256, self.device = generator.card, generator.sha256, device
        self.pixels = pixels


@pytest.fixture
def plain(generators: dict[str, ImageGenerator]) -> ImageGenerator:
    return generators["plain"]


def test_too_many_waiting_images_are_refused_at_once(
    connect: Callable[[Starlette], httpx.AsyncClient], plain: ImageGenerator
) -> None:
    """Of 8 places 6 are taken: 3 more images are refused, 2 wait, and afterwards 8 fit again."""
    started, release = threading.Event(), threading.Event()

    def pixels(n: int, seed: int, label: int | None) -> Pixels:
        started.set()
        assert release.wait(timeout=20)
        return plain.pixels(n, seed, label)

    async def scenario() -> tuple[httpx.Response, list[httpx.Response]]:
        async with connect(create_app({"m": Stub(plain, pixels)}, threads=1, max_waiting=8)) as client:  # type: ignore[dict-item]
            first = asyncio.create_task(client.get(f"{PATH}?n=6"))
            assert await asyncio.to_thread(started.wait, 20)
            refused = await client.get(f"{PATH}?n=3")
            health = await client.get("/healthz")
            waits = asyncio.create_task(client.get(f"{PATH}?n=2"))
            release.set()
            return refused, [health, await first, await waits, await client.get(f"{PATH}?n=8")]

    refused, others = asyncio.run(scenario())
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.json() == {
        "error": "6 images are waiting already, and at most 8 may",
        "hint": "try again in a second, or ask for fewer images",
    }
    assert [answer.status_code for answer in others] == [200] * 4


def ask(
    connect: Callable[[Starlette], httpx.AsyncClient],
    plain: ImageGenerator,
    pixels: Callable[..., Pixels],
    device: str = "cpu",
    query: str = "?n=2&seed=7",
) -> tuple[httpx.Response, httpx.Response]:
    async def scenario() -> tuple[httpx.Response, httpx.Response]:
        async with connect(create_app({"m": Stub(plain, pixels, device)}, max_waiting=2)) as client:  # type: ignore[dict-item]
            return await client.get(PATH + query), await client.get(PATH + query)

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (
            ZeroDivisionError("secret"),
            {"error": "internal error", "hint": "the server's log has the details"},
        ),
        (GanzooError("the GPU is gone", hint="look"), {"error": "the GPU is gone", "hint": "look"}),
    ],
)
def test_failures_are_json_and_give_their_place_back(
    connect: Callable[[Starlette], httpx.AsyncClient], plain: ImageGenerator, error: Exception, answer: dict[str, Any]
) -> None:
    def pixels(n: int, seed: int, label: int | None) -> Pixels:
        raise error

    for response in ask(connect, plain, pixels):
        assert response.status_code == 500
        assert response.json() == answer
        assert "Traceback" not in response.text


def test_no_etag_where_nothing_promises_the_same_bytes(
    connect: Callable[[Starlette], httpx.AsyncClient], plain: ImageGenerator
) -> None:
    first, _ = ask(connect, plain, plain.pixels, device="cuda")
    assert first.status_code == 200
    assert "etag" not in first.headers
    assert first.headers["cache-control"] == "no-store"
    assert first.headers["x-ganzoo-seed"] == "7"


def test_an_unmodified_answer_costs_no_images(
    connect: Callable[[Starlette], httpx.AsyncClient], plain: ImageGenerator
) -> None:
    calls = []

    def pixels(n: int, seed: int, label: int | None) -> Pixels:
        calls.append(n)
        return plain.pixels(n, seed, label)

    async def scenario() -> httpx.Response:
        async with connect(create_app({"m": Stub(plain, pixels)})) as client:  # type: ignore[dict-item]
            tag = (await client.get(f"{PATH}?seed=7")).headers["etag"]
            return await client.get(f"{PATH}?seed=7", headers={"If-None-Match": tag})

    assert asyncio.run(scenario()).status_code == 304
    assert calls == [16]


def test_the_page_escapes_names(plain: ImageGenerator) -> None:
    page = landing_page({'"><script>': plain})
    assert "<script>" not in page
    assert "/v1/models/%22%3E%3Cscript%3E/sample" in page
