"""The API key, what every answer carries, and how answers are counted."""

import asyncio
import re
from collections.abc import Callable

import httpx
import pytest
from starlette.applications import Starlette

from ganzoo.errors import UsageError
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.serving.app import create_app
from ganzoo.serving.metrics import Histogram, Metrics
from ganzoo.serving.pool import Pool

KEY = "s3cret"


def ask(
    connect: Callable[[Starlette], httpx.AsyncClient], app: Starlette, *asked: tuple[str, dict[str, str]]
) -> list[httpx.Response]:
    async def scenario() -> list[httpx.Response]:
        async with connect(app) as client:
            return [await client.get(path, headers=headers) for path, headers in asked]

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Basic {KEY}"}, 401),
        ({"X-API-Key": f"{KEY}0"}, 401),
        ({"Authorization": f"Bearer {KEY}"}, 200),
        ({"Authorization": f"bearer  {KEY}"}, 200),
        ({"X-API-Key": KEY}, 200),
    ],
)
def test_the_key(
    connect: Callable[[Starlette], httpx.AsyncClient],
    generators: dict[str, ImageGenerator],
    headers: dict[str, str],
    status: int,
) -> None:
    app = create_app(generators, api_key=KEY)
    paths = ["/v1/models", "/v1/models/plain/sample?n=1", "/metrics", "/openapi.json", "/v2"]
    if status == 401:
        paths += ["/v1/models/", "/page/..%2Fmetrics", "/page/", "/nowhere"]
    answers = ask(connect, app, *((path, headers) for path in paths))
    assert {answer.status_code for answer in answers} == {status}
    if status == 401:
        assert answers[0].headers["www-authenticate"] == "Bearer"
        assert answers[0].json() == {
            "error": "this needs an API key",
            "hint": "send it: Authorization: Bearer KEY, or X-API-Key: KEY",
        }
    free = ask(connect, app, *((path, {}) for path in ("/", "/page/page.js", "/page/style.css", "/healthz", "/readyz")))
    assert {answer.status_code for answer in free} == {200}


@pytest.mark.parametrize("key", ["", " ", "a b ", "\n", "é"])
def test_keys_that_there_cannot_be(key: str) -> None:
    with pytest.raises(UsageError, match="the API key must be visible characters of ASCII"):
        create_app({}, api_key=key)


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/models/plain/sample?n=1", "/nowhere"])
def test_every_answer_is_safe_to_show(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert ("content-security-policy" in answer.headers) == (path == "/")


def test_only_the_pages_own_scripts_run(client: httpx.Client) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    scripts = re.search("script-src ([^;]*)", policy)
    assert scripts
    assert "unsafe" not in scripts[1]


def test_a_server_that_drains_is_not_ready(
    connect: Callable[[Starlette], httpx.AsyncClient], generators: dict[str, ImageGenerator]
) -> None:
    pool = Pool()
    app = create_app(generators, pool)
    paths: list[tuple[str, dict[str, str]]] = [("/readyz", {}), ("/v2/health/ready", {}), ("/healthz", {})]
    assert [answer.status_code for answer in ask(connect, app, *paths)] == [200, 200, 200]
    pool.draining = True
    assert [answer.status_code for answer in ask(connect, app, *paths)] == [503, 503, 200]


def test_what_was_done_is_counted(
    connect: Callable[[Starlette], httpx.AsyncClient], generators: dict[str, ImageGenerator]
) -> None:
    paths = [
        "/v1/models/plain/sample?n=5",
        "/v1/models/plain/sample?n=40",
        "/v1/models/plain/sample?n=0",
        "/v1/models/broken/sample?n=1",
        "/nowhere",
        "/metrics",
    ]
    *_, answer = ask(connect, create_app(generators), *((path, {}) for path in paths))
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    assert all(re.fullmatch(r'#.*|ganzoo_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [\d.e+-]+', line) for line in lines)
    for line in (
        'ganzoo_requests_total{route="/v1/models/{name}/sample",status="200"} 2',
        'ganzoo_requests_total{route="/v1/models/{name}/sample",status="422"} 1',
        'ganzoo_requests_total{route="/v1/models/{name}/sample",status="500"} 1',
        'ganzoo_requests_total{route="",status="404"} 1',
        'ganzoo_images_total{model="plain"} 45',
        "ganzoo_not_finite_total 1",
        "ganzoo_waiting_images 0",
        "ganzoo_batch_images_count 4",
        "ganzoo_batch_images_sum 46.0",
        'ganzoo_batch_images_bucket{le="1"} 1',
        'ganzoo_batch_images_bucket{le="8"} 3',
        'ganzoo_batch_images_bucket{le="+Inf"} 4',
        "ganzoo_queue_seconds_count 3",
        "ganzoo_run_seconds_count 4",
    ):
        assert line in lines


def test_labels_are_escaped_and_bounds_belong_to_their_bucket() -> None:
    metrics = Metrics()
    metrics.images['a"b\\c\nd'] = 1
    assert r'ganzoo_images_total{model="a\"b\\c\nd"} 1' in metrics.text(0)
    histogram = Histogram((1, 2))
    for value in (0.5, 1, 1.5, 9):
        histogram.observe(value)
    assert [value for name, _, value in histogram.samples() if name == "_bucket"] == [2, 3, 4]
