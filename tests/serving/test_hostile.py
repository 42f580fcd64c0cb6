"""Requests that nobody would write, made at random: each is refused or answered, and none is a fault of the server."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from starlette.applications import Starlette

from ganzoo.runtime.generator import ImageGenerator
from ganzoo.serving.app import create_app
from ganzoo.serving.pool import Pool

NAMES = st.sampled_from(["n", "seed", "label", "format", "to", "steps", "z", ""])
VALUES = st.one_of(
    st.text(max_size=8),
    st.integers(-3, 9).map(str),
    st.integers(-3, 2**65).map(str),
    st.sampled_from(["grid", "npy", "json", "cat"]),
)
PATHS = st.sampled_from(
    ["/v1/models/pets/sample", "/v1/models/plain/interpolate", "/v1/models/pets", "/v2/models/pets"]
)

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=4))
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
SHAPES = st.one_of(ANYTHING, st.lists(st.integers(-2, 300), max_size=3), st.just([2, 4]), st.just([2]))
INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["z", "labels"]) | ANYTHING,
        "datatype": st.sampled_from(["FP32", "INT64"]) | ANYTHING,
        "shape": SHAPES,
        "data": st.lists(st.floats(width=32) | SCALARS, min_size=8, max_size=8) | ANYTHING,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": ANYTHING}) | ANYTHING,
    },
)
REQUESTS = st.fixed_dictionaries(
    {}, optional={"inputs": st.lists(INPUTS, max_size=3) | ANYTHING, "outputs": ANYTHING, "id": ANYTHING}
)
ANY_CASE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def app(generators: dict[str, ImageGenerator]) -> Starlette:
    return create_app(generators, Pool(1))


def status(
    connect: Callable[[Starlette], httpx.AsyncClient], app: Starlette, method: str, url: str, **options: Any
) -> int:
    async def scenario() -> httpx.Response:
        async with connect(app) as client:
            return await client.request(method, f"http://test{url}", **options)

    answer = asyncio.run(scenario())
    if answer.status_code >= 400:
        assert set(answer.json()) == {"error", "hint"}
    return answer.status_code


@ANY_CASE
@given(path=PATHS, query=st.lists(st.tuples(NAMES, VALUES), max_size=4))
def test_any_query(
    connect: Callable[[Starlette], httpx.AsyncClient],
    app: Starlette,
    path: str,
    query: list[tuple[str, str]],
) -> None:
    url = f"{path}?{urlencode(query, errors='surrogatepass')}"
    assert status(connect, app, "GET", url) in (200, 422)


@ANY_CASE
@given(request=REQUESTS | ANYTHING, binary=st.binary(max_size=40))
def test_any_tensors(
    connect: Callable[[Starlette], httpx.AsyncClient],
    app: Starlette,
    request: Any,
    binary: bytes,
) -> None:
    head = json.dumps(request).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    url = "/v2/models/pets/infer"
    assert status(connect, app, "POST", url, content=head + binary, headers=headers) in (200, 422)
