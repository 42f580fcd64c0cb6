"""What needs a hand inside: overload, bugs, and a device that this machine may not have."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.applications import Starlette

from ganzoo.errors import GanzooError, UsageError
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.serving.app import create_app
from ganzoo.serving.pool import Pool

PATH = "/v1/models/m/sample"

Forward = Callable[..., NDArray[np.float32]]


class Stub:
    """A generator whose ``forward`` does what the test says."""

    def __init__(self, generator: ImageGenerator, forward: Forward, device: str = "cpu") -> None:
        self.card, self.sha256, self.device = generator.card, generator.sha256, device
        self.forward = forward


@pytest.fixture
def plain(generators: dict[str, ImageGenerator]) -> ImageGenerator:
    return generators["plain"]


def test_too_many_waiting_images_are_refused_at_once(
    connect: Callable[[Starlette], httpx.AsyncClient], plain: ImageGenerator
) -> None:
    """Of 8 places 6 are taken: 3 more images are refused, 2 wait, and afterwards 8 fit again."""
    started, release = threading.Event(), threading.Event()

    def forward(z: NDArray[np.float32], *rest: Any) -> NDArray[np.float32]:
        started.set()
        assert release.wait(timeout=20)
        return plain.forward(z, *rest)

    async def scenario() -> tuple[httpx.Response, list[httpx.Response]]:
        async with connect(create_app({"m": Stub(plain, forward)}, Pool(1, max_waiting=8))) as client:  # type: ignore[dict-item]
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
    forward: Forward,
    device: str = "cpu",
    query: str = "?n=2&seed=7",
) -> tuple[httpx.Response, httpx.Response]:
    async def scenario() -> tuple[httpx.Response, httpx.Response]:
        async with connect(create_app({"m": Stub(plain, forward, device)}, Pool(max_waiting=2))) as client:  # type: ignore[dict-item]
            return await client.get(PATH + query), await client.get(PATH + query)

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("error", "answer", "logged"),
    [
        (
            ZeroDivisionError("secret"),
            {"error": "internal error", "hint": "the server's log has the details"},
            "ZeroDivisionError: secret",
        ),
        (GanzooError("the GPU is gone", hint="look"), {"error": "the GPU is gone", "hint": "look"}, "the GPU is gone"),
        (GanzooError("a\nb\x1b[2J"), {"error": "a\nb\x1b[2J", "hint": None}, "a\\nb\\x1b[2J"),
        (MemoryError(), {"error": "internal error", "hint": "the server's log has the details"}, "MemoryError"),
    ],
)
def test_failures_are_json_are_logged_in_a_line_and_give_their_place_back(
    connect: Callable[[Starlette], httpx.AsyncClient],
    plain: ImageGenerator,
    error: Exception,
    answer: dict[str, Any],
    logged: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def forward(z: NDArray[np.float32], *rest: Any) -> NDArray[np.float32]:
        raise error

    for response in ask(connect, plain, forward):
        assert response.status_code == 500
        assert response.json() == answer
        assert "Traceback" not in response.text
    assert [record.getMessage() for record in caplog.records] == [f"500 for GET '{PATH}?n=2&seed=7': {logged}"] * 2


def test_no_etag_where_nothing_promises_the_same_bytes(
    connect: Callable[[Starlette], httpx.AsyncClient], plain: ImageGenerator
) -> None:
    first, _ = ask(connect, plain, plain.forward, device="cuda")
    assert first.status_code == 200
    assert "etag" not in first.headers
    assert first.headers["cache-control"] == "no-store"
    assert first.headers["x-ganzoo-seed"] == "7"


def test_an_unmodified_answer_costs_no_images(
    connect: Callable[[Starlette], httpx.AsyncClient], plain: ImageGenerator
) -> None:
    calls = []

    def forward(z: NDArray[np.float32], *rest: Any) -> NDArray[np.float32]:
        calls.append(len(z))
        return plain.forward(z, *rest)

    async def scenario() -> httpx.Response:
        async with connect(create_app({"m": Stub(plain, forward)})) as client:  # type: ignore[dict-item]
            tag = (await client.get(f"{PATH}?seed=7")).headers["etag"]
            return await client.get(f"{PATH}?seed=7", headers={"If-None-Match": tag})

    assert asyncio.run(scenario()).status_code == 304
    assert calls == [16]


def test_head_costs_no_images(connect: Callable[[Starlette], httpx.AsyncClient], plain: ImageGenerator) -> None:
    def forward(z: NDArray[np.float32], *rest: Any) -> NDArray[np.float32]:
        pytest.fail("made images to throw them away")

    async def scenario() -> list[httpx.Response]:
        async with connect(create_app({"m": Stub(plain, forward)})) as client:  # type: ignore[dict-item]
            tag = (await client.head(f"{PATH}?seed=7")).headers["etag"]
            paths = ["/", "/healthz", "/v1/models", f"{PATH}?seed=7", f"{PATH}?n=0", "/nowhere"]
            answers = [await client.head(path) for path in paths]
            return [*answers, await client.head(f"{PATH}?seed=7", headers={"If-None-Match": tag})]

    answers = asyncio.run(scenario())
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 422, 404, 304]
    assert answers[3].headers["x-ganzoo-seed"] == "7"
    assert answers[3].headers["content-type"] == "image/png"
    assert "content-length" not in answers[3].headers


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/v1/models/", "../models"),
        ("/healthz/?a=1", "../healthz?a=1"),
        (f"{PATH}/?seed=7", "../sample?seed=7"),
        ("//evil.example/", "../evil.example"),
        ("/a%22b/", "../a%22b"),
    ],
)
def test_a_slash_too_many_is_taken_away_below_any_prefix(
    connect: Callable[[Starlette], httpx.AsyncClient], plain: ImageGenerator, path: str, location: str
) -> None:
    async def scenario() -> httpx.Response:
        async with connect(create_app({"m": plain})) as client:
            return await client.get(f"http://test{path}")

    answer = asyncio.run(scenario())
    assert (answer.status_code, answer.headers["location"]) == (307, location)


def test_a_slash_too_many_of_a_post(connect: Callable[[Starlette], httpx.AsyncClient], plain: ImageGenerator) -> None:
    """307 keeps the method and the body."""

    async def scenario() -> httpx.Response:
        async with connect(create_app({"m": plain})) as client:
            tensor = {"name": "z", "datatype": "FP32", "shape": [1, plain.card.latent_dim]}
            content = {"inputs": [{**tensor, "data": [0] * plain.card.latent_dim}]}
            return await client.post("http://test/v2/models/m/infer/", json=content, follow_redirects=True)

    assert asyncio.run(scenario()).status_code == 200


def test_names_are_found_in_each_spelling(
    connect: Callable[[Starlette], httpx.AsyncClient], plain: ImageGenerator
) -> None:
    async def scenario() -> list[int]:
        async with connect(create_app({"caf\u00e9": plain})) as client:
            paths = ("caf%C3%A9", "cafe%CC%81")
            return [(await client.get(f"/v1/models/{name}/sample?n=1")).status_code for name in paths]

    assert asyncio.run(scenario()) == [200, 200]


@pytest.mark.parametrize("threads", [0, -1, True, "2", 2.0])
def test_threads_that_there_cannot_be(threads: Any) -> None:
    with pytest.raises(UsageError, match="threads must be a whole number, at least 1, not"):
        Pool(threads)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_browser_that_asks_for_an_icon_is_told_that_there_is_none(
    connect: Callable[[Starlette], httpx.AsyncClient], plain: ImageGenerator, method: str
) -> None:
    async def scenario() -> httpx.Response:
        async with connect(create_app({"m": plain})) as client:
            return await client.request(method, "http://test/favicon.ico")

    answer = asyncio.run(scenario())
    assert (answer.status_code, answer.content) == (204, b"")


def test_two_versions_of_one_model_are_told_apart(
    connect: Callable[[Starlette], httpx.AsyncClient], plain: ImageGenerator
) -> None:
    """Each answers under its own name, and the list of models, which the page reads, links to each."""

    def version(number: int) -> Any:
        stub = Stub(plain, lambda z, *_: np.full((len(z), 1, 8, 8), number / 127.5 - 1, np.float32))
        stub.card = replace(plain.card, name="m", version=number)
        return stub

    async def scenario() -> tuple[list[tuple[Any, ...]], list[int]]:
        async with connect(create_app({f"m:{number}": version(number) for number in (1, 2)})) as client:
            models = (await client.get("/v1/models")).json()["models"]
            urls = [f"/v1/{each['urls']['sample']}?n=1&seed=0&format=npy" for each in models]
            images = [np.load(BytesIO((await client.get(url)).content)) for url in urls]
            named = [(each["name"], each["version"]) for each in models]
            return named, [int(image.max()) for image in images]

    named, shades = asyncio.run(scenario())
    assert named == [("m:1", 1), ("m:2", 2)]
    assert shades == [1, 2]
