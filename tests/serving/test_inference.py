"""The Open Inference Protocol, spoken by its own client and by hand, well and badly."""

import json
import struct
import tracemalloc
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton

from ganzoo.errors import UsageError
from ganzoo.latents import draw
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.serving.bodies import BODY_BYTES
from ganzoo.serving.tensors import PIECE, InferRequest

LENGTH = "Inference-Header-Content-Length"
Z = {"name": "z", "datatype": "FP32", "shape": [2, 4]}
LABELS = {"name": "labels", "datatype": "INT64", "shape": [2], "data": [0, 2]}
ZERO = {**Z, "data": [[0, 0, 0, 0], [1, 1, 1, 1]]}


def infer(client: httpx.Client, name: str, request: Any, binary: bytes = b"") -> httpx.Response:
    head = json.dumps(request).encode()
    headers = {LENGTH: str(len(head))} if binary else {}
    return client.post(f"/v2/models/{name}/infer", content=head + binary, headers=headers)


def test_tritons_own_client(client: httpx.Client, generators: dict[str, ImageGenerator]) -> None:
    z, labels = draw(7, 0, 40, 4, 3)
    with triton.InferenceServerClient(client.base_url.netloc.decode()) as session:
        assert session.is_server_live()
        assert session.is_server_ready()
        assert session.is_model_ready("pets")
        assert session.is_model_ready("pets", "3")
        assert not session.is_model_ready("pets", "4")
        assert session.get_server_metadata()["name"] == "ganzoo"
        assert session.get_model_metadata("pets")["outputs"] == [
            {"name": "images", "datatype": "FP32", "shape": [-1, 3, 8, 8]}
        ]
        expected = generators["pets"].run(z, labels)
        for binary in (True, False):
            inputs = [triton.InferInput("z", [40, 4], "FP32"), triton.InferInput("labels", [40], "INT64")]
            for tensor, values in zip(inputs, (z, labels), strict=True):
                tensor.set_data_from_numpy(values, binary_data=binary)
            outputs = [triton.InferRequestedOutput("images", binary_data=binary)]
            answer = session.infer("pets", inputs, outputs=outputs, request_id="mine")
            assert (answer.as_numpy("images") == expected).all()
            assert answer.get_response()["id"] == "mine"
        assert (session.infer("pets", inputs).as_numpy("images") == expected).all()
        with pytest.raises(triton.InferenceServerException, match="no model 'none' is served here"):
            session.infer("none", inputs)


def test_by_hand_in_json_and_in_binary(client: httpx.Client, generators: dict[str, ImageGenerator]) -> None:
    z = np.array([[0.5, 1, -1, 0], [2, 0, 0, 1]], np.float32)
    expected = generators["plain"].run(z)
    in_json = infer(client, "plain", {"id": "7", "inputs": [{**Z, "data": z.ravel().tolist()}]})
    assert in_json.status_code == 200
    (output,) = in_json.json().pop("outputs")
    assert in_json.json()["id"] == "7"
    assert (in_json.json()["model_name"], in_json.json()["model_version"]) == ("plain", "3")
    assert (output["name"], output["datatype"], output["shape"]) == ("images", "FP32", [2, 1, 8, 8])
    assert (np.array(output["data"], np.float32).reshape(2, 1, 8, 8) == expected).all()
    tensor = {**Z, "parameters": {"binary_data_size": 32}}
    wanted = {"inputs": [tensor], "outputs": [{"name": "images", "parameters": {"binary_data": True}}]}
    answer = infer(client, "plain", wanted, z.tobytes())
    length = int(answer.headers[LENGTH])
    (output,) = json.loads(answer.content[:length])["outputs"]
    assert output["parameters"] == {"binary_data_size": 2 * 64 * 4}
    assert answer.content[length:] == expected.tobytes()


def test_json_in_pieces_is_the_same(client: httpx.Client) -> None:
    z, _ = draw(3, 0, 100, 4)
    request = {"inputs": [{**Z, "shape": [100, 4], "data": z.tolist()}]}
    answer = infer(client, "plain", request).json()
    binary = infer(client, "plain", {**request, "parameters": {"binary_data_output": True}})
    values = np.frombuffer(binary.content[int(binary.headers[LENGTH]) :], "<f4")
    assert len(values) > PIECE
    assert np.array_equal(np.array(answer["outputs"][0]["data"], np.float32), values)


def test_one_long_text_among_many_takes_no_more_memory_than_it_has(generators: dict[str, ImageGenerator]) -> None:
    request = {"inputs": [{**ZERO, "data": ["a" * 20_000] + [""] * 5_000}]}
    body = json.dumps(request).encode()
    tracemalloc.start()
    with pytest.raises(UsageError, match=r"inputs\[0\]\.data must be numbers of that shape"):
        InferRequest.parse(body, None, generators["plain"].card)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2_000_000


def test_descriptions(client: httpx.Client) -> None:
    model = client.get("/v2/models/pets").json()
    assert model == client.get("/v2/models/pets/versions/3").json()
    assert model == {
        "name": "pets",
        "versions": ["3"],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": "z", "datatype": "FP32", "shape": [-1, 4]},
            {"name": "labels", "datatype": "INT64", "shape": [-1]},
        ],
        "outputs": [{"name": "images", "datatype": "FP32", "shape": [-1, 3, 8, 8]}],
    }
    assert client.get("/v2/health/live").json() == {"live": True}
    answer = client.get("/v2/models/pets/versions/9")
    assert answer.status_code == 404
    assert answer.json() == {"error": "pets has no version '9' here", "hint": "its version is 3"}


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ([], "inputs lacks 'z'"),
        ([ZERO], "inputs lacks 'labels'"),
        (7, "inputs must be a list, not 7"),
        ([7], "inputs[0] must be an object"),
        ([{}], "inputs[0].name is missing"),
        ([{"name": 7}], "inputs[0].name must be a string, not 7"),
        ([{"name": "x"}], "inputs[0].name is no input: 'x'"),
        ([ZERO, ZERO], "inputs[1].name is given twice: 'z'"),
        ([{"name": "z"}], "inputs[0].datatype is missing"),
        ([{**ZERO, "datatype": "FP64"}], "inputs[0].datatype of 'z' must be FP32, not 'FP64'"),
        ([{**ZERO, "shape": [2, 5]}], "inputs[0].shape of 'z' must be [N, 4], not [2, 5]"),
        ([{**ZERO, "shape": [-1, 4]}], "inputs[0].shape of 'z' must be [N, 4], not [-1, 4]"),
        ([{**ZERO, "shape": [257, 4]}], "inputs[0].shape of 'z' must be [N, 4], not [257, 4]"),
        ([{**ZERO, "shape": [True, 4]}], "inputs[0].shape of 'z' must be [N, 4], not [True, 4]"),
        ([{**ZERO, "shape": []}], "inputs[0].shape of 'z' must be [N, 4], not []"),
        ([Z], "inputs[0].data is missing"),
        ([{**Z, "data": [1, 2]}], "inputs[0].data has 2 values instead of 8"),
        ([{**Z, "data": [[1], [2, 3]]}], "inputs[0].data must be numbers of that shape"),
        ([{**Z, "data": ["1"] * 8}], "inputs[0].data must be numbers of that shape"),
        ([{**Z, "data": [None] * 8}], "inputs[0].data must be numbers of that shape"),
        ([{**Z, "data": [True] * 8}], "inputs[0].data must be numbers of that shape"),
        ([{**Z, "data": [float("nan")] * 8}], "inputs[0].data of 'z' must be finite numbers, not nan"),
        ([{**Z, "data": [1e39] * 8}], "inputs[0].data of 'z' must be finite numbers, not inf"),
        ([{**Z, "data": [10**400] * 8}], "inputs[0].data must be numbers of that shape"),
        (
            [{**Z, "parameters": {"binary_data_size": "4"}}],
            "inputs[0].parameters.binary_data_size must be a whole number, not '4'",
        ),
        ([{**Z, "parameters": {"binary_data_size": 4}}], "inputs[0] has 0 bytes instead of 32"),
        ([ZERO, {**LABELS, "data": [0, 3]}], "inputs[1].data of 'labels' must be from 0 to 2, not 3"),
        ([ZERO, {**LABELS, "data": [-1, 0]}], "inputs[1].data of 'labels' must be from 0 to 2, not -1"),
        ([ZERO, {**LABELS, "data": [0.5, 0]}], "inputs[1].data must be whole numbers of that shape"),
        (
            [ZERO, {**LABELS, "shape": [1], "data": [0]}],
            "the inputs differ in their first dimension: {'z': 2, 'labels': 1}",
        ),
    ],
)
def test_bad_inputs_are_named(client: httpx.Client, inputs: Any, error: str) -> None:
    answer = infer(client, "pets", {"inputs": inputs})
    assert (answer.status_code, answer.json()["error"]) == (422, error)


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "the body is no JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"{", 400, "the body is no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b"\xff", 400, "the body is no JSON: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (
            b"[" * 100_000,
            400,
            "the body is no JSON: maximum recursion depth exceeded",
        ),
        (b"[]", 422, "the body must be an object"),
        (b"{}", 422, "inputs is missing"),
        (b'{"inputs": [], "outputs": [{"name": "x"}]}', 422, "inputs lacks 'z'"),
        (json.dumps({"inputs": [ZERO], "outputs": [{"name": "x"}]}).encode(), 422, "outputs[0].name is no output"),
        (b" " * (BODY_BYTES + 1), 413, f"the body has over {BODY_BYTES} bytes"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_bad_bodies_are_refused(client: httpx.Client, body: bytes, status: int, error: str) -> None:
    answer = client.post("/v2/models/plain/infer", content=body)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("length", "status"), [("x", 400), ("-1", 400), ("999999", 400), ("9" * 5000, 400), ("0", 400)]
)
def test_a_header_that_lies_of_its_length(client: httpx.Client, length: str, status: int) -> None:
    answer = client.post("/v2/models/plain/infer", json={"inputs": [ZERO]}, headers={LENGTH: length})
    assert answer.status_code == status
    assert answer.json()["error"].startswith("the body is no JSON" if length == "0" else LENGTH)


def test_a_compressed_body_is_refused(client: httpx.Client) -> None:
    answer = client.post("/v2/models/plain/infer", json={}, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["error"]) == (400, "the body is compressed")


def test_bytes_that_belong_to_no_input(client: httpx.Client) -> None:
    answer = infer(client, "plain", {"inputs": [ZERO]}, struct.pack("<f", 1))
    assert (answer.status_code, answer.json()["error"]) == (422, "4 bytes behind the inputs belong to none")


def test_images_that_are_not_finite(client: httpx.Client) -> None:
    answer = infer(client, "broken", {"inputs": [{**Z, "data": [-9.0] * 8}]})
    assert (answer.status_code, answer.json()["error"]) == (500, "image 0 has pixels that are not finite numbers")


def test_other_methods(client: httpx.Client) -> None:
    answer = client.get("/v2/models/plain/infer")
    assert (answer.status_code, answer.json()["hint"]) == (405, "use POST")
