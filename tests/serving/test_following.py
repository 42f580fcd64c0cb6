"""A name that follows an alias changes what it serves without a restart."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from ganzoo.runtime.generator import ImageGenerator
from ganzoo.runtime.opening import open_generator
from ganzoo.serving import following
from ganzoo.serving.app import create_app
from ganzoo.serving.following import Alias, follow
from ganzoo_registry import Registry


@pytest.fixture
def store(own_registry: Path, files: dict[str, bytes]) -> Registry:
    """Two versions that are served, and a third one that has no ONNX file."""
    store = Registry(own_registry)
    for name in ("plain", "pets"):
        store.attach(store.register("m", {}, {"config": {"name": name}, "data": {}}), "onnx", files[name])
    store.register("m", {}, {"config": {"name": "none"}, "data": {}})
    store.alias("m:1", "live")
    return store


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await asyncio.sleep(0)


def test_a_moved_alias_is_followed_and_one_that_cannot_be_is_not(
    store: Registry,
    connect: Callable[[Starlette], httpx.AsyncClient],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(following, "POLL_SECONDS", 0)
    served = {"m": open_generator("m@live", None, "cpu", 1)}
    alias = Alias(reference="m@live", registry=None, device="cpu", int8=False, number=1)

    async def classes(client: httpx.AsyncClient) -> list[str]:
        found: list[str] = (await client.get("/v1/models/m")).json()["class_names"]
        return found

    async def scenario() -> None:
        follower = asyncio.create_task(follow(served, {"m": alias}))
        async with connect(create_app(served)) as client:
            assert await classes(client) == []
            before = await client.get("/v1/models/m/sample?seed=7&n=1")
            first: list[ImageGenerator] = [served["m"]]
            store.alias("m:3", "live")  # without an ONNX file
            await until(lambda: alias.fault != "")
            assert served["m"] is first[0]
            store.alias("m:2", "live")
            await until(lambda: served["m"] is not first[0])
            assert alias.fault == ""
            assert len(await classes(client)) == 3
            after = await client.get(
                "/v1/models/m/sample?seed=7&n=1", headers={"If-None-Match": before.headers["etag"]}
            )
            assert after.status_code == 200
            assert after.content != before.content
        follower.cancel()

    asyncio.run(scenario())
    assert capfd.readouterr().err == "m stays as it is: m:3 has no ONNX file yet\nm is now m:2\n"


def test_an_alias_that_moves_is_followed_where_there_is_no_standard_error(
    store: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "POLL_SECONDS", 0)
    monkeypatch.setattr("sys.stderr", None)
    served = {"m": open_generator("m@live", None, "cpu", 1)}
    first, alias = served["m"], Alias(reference="m@live", registry=None, device="cpu", int8=False, number=1)

    async def scenario() -> None:
        follower = asyncio.create_task(follow(served, {"m": alias}))
        store.alias("m:3", "live")  # without an ONNX file
        await until(lambda: follower.done() or alias.fault != "")
        store.alias("m:2", "live")
        await until(lambda: follower.done() or served["m"] is not first)
        assert not follower.done()
        follower.cancel()

    asyncio.run(scenario())
