"""The interface as clients see it, over real connections."""

import base64
import io
import re
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from PIL import Image

from ganzoo.images import encode_npy, encode_png, grid, to_uint8
from ganzoo.latents import MAX_SEED, draw, slerp
from ganzoo.runtime.generator import ImageGenerator

PETS = ("cat", "<b>&dog", "0")
PAGE = ("backend.js", "commands.js", "page.js", "style.css")


def sample(client: httpx.Client, name: str, **parameters: str | int) -> httpx.Response:
    return client.get(f"/v1/models/{name}/sample", params=parameters)


def test_health(client: httpx.Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_models(client: httpx.Client, generators: dict[str, ImageGenerator]) -> None:
    answer = client.get("/v1/models")
    assert answer.status_code == 200
    models = answer.json()["models"]
    assert [model["name"] for model in models] == ["broken", "deep", "pets", "plain"]
    assert models[2] == {
        "name": "pets",
        "version": 3,
        "reference": "pets:3",
        "digest": None,
        "int8": False,
        "sha256": generators["pets"].sha256,
        "latent_dim": 4,
        "shape": [3, 8, 8],
        "class_names": list(PETS),
        "controls": {},
        "device": "cpu",
        "urls": {  # relative to this answer's own URL
            "sample": "models/pets/sample",
            "interpolate": "models/pets/interpolate",
        },
    }
    alone = client.get("/v1/models/pets").json()
    assert alone == models[2] | {"urls": {"sample": "pets/sample", "interpolate": "pets/interpolate"}}


@pytest.mark.parametrize("name", ["plain", "pets"])
@pytest.mark.parametrize("seed", [0, 7, MAX_SEED])
def test_the_same_bytes_as_the_library(
    client: httpx.Client, generators: dict[str, ImageGenerator], name: str, seed: int
) -> None:
    images = generators[name].sample(5, seed)
    npy = sample(client, name, n=5, seed=seed, format="npy")
    assert npy.status_code == 200
    assert npy.headers["content-type"] == "application/octet-stream"
    served = np.load(io.BytesIO(npy.content), allow_pickle=False)
    assert served.dtype == np.uint8
    assert (served == images).all()
    png = sample(client, name, n=5, seed=seed)
    assert png.headers["content-type"] == "image/png"
    assert png.content == encode_png(grid(images.transpose(0, 3, 1, 2)))
    assert png.headers["x-ganzoo-seed"] == npy.headers["x-ganzoo-seed"] == str(seed)


@pytest.mark.parametrize(("text", "index"), [("cat", 0), ("1", 1), (PETS[1], 1), ("0", 2)])
def test_label(client: httpx.Client, generators: dict[str, ImageGenerator], text: str, index: int) -> None:
    answer = sample(client, "pets", n=3, seed=1, label=text, format="npy")
    name = PETS[index]
    assert (np.load(io.BytesIO(answer.content)) == generators["pets"].sample(3, 1, name)).all()


def test_defaults(client: httpx.Client) -> None:
    answer = sample(client, "plain")
    assert answer.status_code == 200
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.size == (4 * 48 + 3 * 2, 4 * 48 + 3 * 2)
    again = sample(client, "plain", seed=answer.headers["x-ganzoo-seed"])
    assert again.content == answer.content


def test_the_most_images(client: httpx.Client) -> None:
    answer = sample(client, "plain", n=256, seed=1, format="npy")
    assert np.load(io.BytesIO(answer.content)).shape == (256, 8, 8, 1)


def test_a_seed_that_the_server_chose_is_not_cached(client: httpx.Client) -> None:
    first, second = sample(client, "plain", n=1), sample(client, "plain", n=1)
    assert first.headers["x-ganzoo-seed"] != second.headers["x-ganzoo-seed"]
    assert first.headers["cache-control"] == "no-store"
    assert "etag" not in first.headers


def test_etag(client: httpx.Client) -> None:
    path = "/v1/models/pets/sample?n=2&seed=7"
    first = client.get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    assert tag.startswith('"')  # strong
    assert client.get(path).headers["etag"] == tag
    for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = client.get(path, headers={"If-None-Match": header})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-ganzoo-seed"] == "7"
    other = client.get(path, headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


def test_etag_covers_everything_that_counts(client: httpx.Client) -> None:
    queries = ["n=2&seed=7", "n=3&seed=7", "n=2&seed=8", "n=2&seed=7&label=cat", "n=2&seed=7&format=npy"]
    paths = [f"/v1/models/pets/sample?{query}" for query in queries] + ["/v1/models/plain/sample?n=2&seed=7"]
    assert len({client.get(path).headers["etag"] for path in paths}) == len(paths)
    by_name, by_index = (client.get(f"{paths[0]}&label={label}") for label in (quote(PETS[1]), 1))
    assert by_name.headers["etag"] == by_index.headers["etag"]


SEED_RANGE = f"a whole number from 0 to {MAX_SEED}"


@pytest.mark.parametrize(
    ("query", "error", "hint"),
    [
        ("n=0", "n must be a whole number from 1 to 256, not '0'", "for example ?n=2"),
        ("n=257", "n must be a whole number from 1 to 256, not '257'", "for example ?n=2"),
        ("n=", "n must be a whole number from 1 to 256, not ''", "for example ?n=2"),
        ("n=1.0", "n must be a whole number from 1 to 256, not '1.0'", "for example ?n=2"),
        ("n=1_0", "n must be a whole number from 1 to 256, not '1_0'", "for example ?n=2"),
        ("n=%D9%A3", "n must be a whole number from 1 to 256, not '٣'", "for example ?n=2"),
        ("n=%00", "n must be a whole number from 1 to 256, not '\\x00'", "for example ?n=2"),
        ("seed=-1", f"seed must be {SEED_RANGE}, not '-1'", "for example ?seed=1"),
        (f"seed={2**64}", f"seed must be {SEED_RANGE}, not '{2**64}'", "for example ?seed=1"),
        ("seed=cat", f"seed must be {SEED_RANGE}, not 'cat'", "for example ?seed=1"),
        ("n=1&n=2", "the parameter 'n' is given twice", "give it once"),
        ("sead=1", "there is no parameter 'sead'", "did you mean 'seed'?"),
        ("q=1", "there is no parameter 'q'", "choose one of: format, label, n, seed"),
        ("format=gif", "there is no format 'gif'", "choose one of: grid, json, npy, png"),
        ("label=3", "pets has no class '3'", "choose a name: cat, <b>&dog, 0"),
        ("label=2", "pets has no class '2'", "choose a name: cat, <b>&dog, 0"),
        ("label=cast", "pets has no class 'cast'", "did you mean 'cat'?"),
    ],
)
def test_a_bad_query(client: httpx.Client, query: str, error: str, hint: str) -> None:
    answer = client.get(f"/v1/models/pets/sample?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"error": error, "hint": hint}


@pytest.mark.parametrize("name", ["plain", "pets"])
def test_a_way_between_two_seeds(client: httpx.Client, generators: dict[str, ImageGenerator], name: str) -> None:
    query: dict[str, str | int] = {"seed": 7, "to": 8, "steps": 5, "format": "npy"}
    answer = client.get(f"/v1/models/{name}/interpolate", params=query)
    assert answer.headers["x-ganzoo-seed"] == "7"
    generator, classes = generators[name], len(generators[name].card.class_names)
    (start,), labels = draw(7, 0, 1, 4, classes)
    (end,), _ = draw(8, 0, 1, 4, classes)
    images = generator.run(slerp(start, end, 5), None if labels is None else labels.repeat(5))
    assert answer.content == encode_npy(to_uint8(images))
    assert (np.load(io.BytesIO(answer.content))[0] == generator.sample(1, 7)[0]).all()
    assert (
        client.get(f"/v1/models/{name}/interpolate", params=query | {"to": 9}).headers["etag"] != answer.headers["etag"]
    )


@pytest.mark.parametrize(
    ("query", "error", "hint"),
    [
        ("seed=1", "the parameter 'to' is missing", "for example ?to=1"),
        ("to=1&steps=1", "steps must be a whole number from 2 to 256, not '1'", "for example ?steps=3"),
        ("to=x", f"to must be {SEED_RANGE}, not 'x'", "for example ?to=1"),
        ("to=1&n=3", "there is no parameter 'n'", "choose one of: format, label, seed, steps, to"),
    ],
)
def test_a_bad_way(client: httpx.Client, query: str, error: str, hint: str) -> None:
    answer = client.get(f"/v1/models/pets/interpolate?{query}")
    assert (answer.status_code, answer.json()) == (422, {"error": error, "hint": hint})


def test_the_images_of_each_format_are_the_same(client: httpx.Client, generators: dict[str, ImageGenerator]) -> None:
    images, labels = generators["pets"].pixels(5, 7)
    assert labels is not None
    column = sample(client, "pets", n=5, seed=7, format="png")
    with Image.open(io.BytesIO(column.content)) as picture:
        assert (np.asarray(picture).reshape(5, 8, 8, 3) == images.transpose(0, 2, 3, 1)).all()
    assert sample(client, "pets", n=5, seed=7, format="grid").content == encode_png(grid(images))
    answer = sample(client, "pets", n=5, seed=7, format="json")
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert [base64.b64decode(each) for each in told.pop("images")] == [encode_png(image) for image in images]
    assert told == {
        "model": "pets",
        "version": 3,
        "seed": 7,
        "labels": [PETS[label] for label in labels],
        "controls": {},
        "shape": [5, 8, 8, 3],
    }
    assert sample(client, "plain", n=1, format="json").json()["labels"] is None


def test_a_label_where_there_are_none(client: httpx.Client) -> None:
    answer = sample(client, "plain", label=0)
    assert answer.status_code == 422
    assert answer.json() == {"error": "plain takes no labels", "hint": "leave the label out"}


def test_an_unknown_model(client: httpx.Client) -> None:
    answer = sample(client, "plane")
    assert answer.status_code == 404
    assert answer.json() == {"error": "no model 'plane' is served here", "hint": "did you mean 'plain'?"}


@pytest.mark.parametrize(
    "path", ["/v3", "/v1/models/plain/samples", "/v1/models/plain/sample/3", "/v1/models/..%2f/sample"]
)
def test_an_unknown_path(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json() == {"error": "not found", "hint": "GET /v1/models lists what there is"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/models", "/v1/models/plain/sample"])
def test_other_methods(client: httpx.Client, path: str, method: str) -> None:
    answer = client.request(method, path, content=b"{}")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert answer.json() == {"error": "method not allowed", "hint": "use GET or HEAD"}


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/models", "/v1/models/plain/sample?seed=7", "/v2"])
def test_head_is_get_without_the_content(client: httpx.Client, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    absent = {"content-length"} if "sample" in path else set()
    assert set(get.headers) - set(head.headers) == absent
    assert {name: head.headers[name] for name in head.headers if name != "date"} == {
        name: get.headers[name] for name in head.headers if name != "date"
    }


def test_images_that_a_png_cannot_hold(client: httpx.Client) -> None:
    answer = sample(client, "deep", n=2)
    assert answer.status_code == 422
    assert answer.json() == {
        "error": "a PNG has 1, 3 or 4 channels, and these images have 2",
        "hint": "write an array instead: npy",
    }
    npy = sample(client, "deep", n=2, format="npy")
    assert np.load(io.BytesIO(npy.content)).shape == (2, 8, 8, 2)


def test_images_that_are_not_finite(client: httpx.Client) -> None:
    answer = sample(client, "broken", n=1)
    assert answer.status_code == 500
    assert answer.json()["error"] == "image 0 has pixels that are not finite numbers"
    assert "cache-control" not in answer.headers


def test_the_page_and_all_that_it_names(client: httpx.Client) -> None:
    """It is one for all models, whose names come to it as JSON. Its links are relative: a proxy may have a prefix."""
    seen, waiting = {}, {""}
    while waiting:
        path = waiting.pop()
        answer = seen[path] = client.get(f"/{path}")
        assert answer.status_code == 200, path
        links = set(re.findall(r'(?:href|src)="([^"]*)"|from "\./([^"]*)"', answer.text))
        waiting |= {href or f"page/{script}" for href, script in links if href != "data:,"} - seen.keys()
    assert seen.keys() == {"", *(f"page/{name}" for name in PAGE)}
    types = {path: answer.headers["content-type"].partition(";")[0] for path, answer in seen.items()}
    assert types[""] == "text/html"
    assert {types["page/page.js"], types["page/backend.js"]} == {"text/javascript"}
    assert types["page/style.css"] == "text/css"
    elsewhere = [path for path, answer in seen.items() if "http" in answer.text.replace("http-equiv", "")]
    assert elsewhere == []
    assert "default-src 'none'" in seen[""].text


@pytest.mark.parametrize("file", ["latents.js", "../app.py", "..%2f__init__.py", "PAGE.JS"])
def test_what_is_no_part_of_the_page(client: httpx.Client, file: str) -> None:
    assert client.get(f"/page/{file}").status_code == 404
