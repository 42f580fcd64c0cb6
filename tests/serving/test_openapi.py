"""What the OpenAPI document says of each route is what the route does."""

import re
from typing import Any

import httpx
import pytest

from ganzoo.runtime.generator import ImageGenerator
from ganzoo.serving.app import create_app
from ganzoo.serving.query import MAX_IMAGES

UNDOCUMENTED = {"/favicon.ico", "/{path:path}/"}
NEEDED = {"interpolate": "?to=1"}


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def test_every_route_is_there_with_its_methods(document: dict[str, Any], generators: dict[str, ImageGenerator]) -> None:
    routes = {route.path: route.methods - {"HEAD"} for route in create_app(generators).routes}  # type: ignore[attr-defined]
    told = {path: {method.upper() for method in operations} for path, operations in document["paths"].items()}
    assert told == {path: methods for path, methods in routes.items() if path not in UNDOCUMENTED}
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": "."}]  # relative: a proxy may have a prefix


def test_every_route_answers_as_it_is_told(document: dict[str, Any], client: httpx.Client) -> None:
    for path, operations in document["paths"].items():
        url = path.replace("{name}", "plain").replace("{version}", "3").replace("{file}", "page.js")
        url += NEEDED.get(path.rpartition("/")[2], "")
        assert {each["name"] for each in operations[min(operations)]["parameters"] if each["in"] == "path"} == set(
            re.findall(r"{(\w+)}", path)
        )
        if "get" in operations:
            answer = client.get(url)
            assert answer.status_code == 200, url
            assert answer.headers["content-type"] in operations["get"]["responses"]["200"]["content"]
        else:
            answer = client.post(url, json={})
            assert answer.status_code == 422
            assert set(answer.json()) == {"error", "hint"}


def test_parameters_have_their_ranges_and_defaults(document: dict[str, Any], client: httpx.Client) -> None:
    operation = document["paths"]["/v1/models/{name}/interpolate"]["get"]
    parameters = {each["name"]: each for each in operation["parameters"]}
    assert parameters["steps"]["schema"]["maximum"] == MAX_IMAGES
    assert [name for name, each in parameters.items() if each["required"]] == ["name", "to"]
    for name in parameters["format"]["schema"]["enum"]:
        answer = client.get(f"/v1/models/plain/sample?n=1&format={name}")
        assert answer.headers["content-type"] in operation["responses"]["200"]["content"]
