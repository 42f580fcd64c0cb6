"""Every model that is installed: trained, registered, exported, sampled and served. A plugin's, too, by being there."""

import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
import torch
import uvicorn
from PIL import Image

import ganzoo
from ganzoo.cli import main
from ganzoo.images import encode_npy
from ganzoo.runtime.generator import ImageGenerator
from ganzoo.serving.app import create_app
from ganzoo.serving.server import bind
from ganzoo_plugins.digits.reader import training
from ganzoo_registry import Registry

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Trained


@pytest.fixture(scope="session")
def generator(trained: "Trained") -> ImageGenerator:
    return ganzoo.load(str(trained.result.version), registry=trained.registry, device="cpu", threads=1)


@pytest.fixture(scope="session")
def client(trained: "Trained", generator: ImageGenerator) -> Iterator[httpx.Client]:
    """A client of a real server on a port of its own."""
    listener = bind("127.0.0.1", 0)
    config = uvicorn.Config(create_app({"model": generator}), log_level="warning", ws="none", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60) as session:
            yield session
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def test_training_registers_what_it_trained(trained: "Trained") -> None:
    result = trained.result
    assert result.version.number == 1
    store = Registry(trained.registry)
    assert set(store.kinds(result.version)) >= {"generator", "generator-ema", "discriminator", "preview", "onnx"}
    lineage = store.lineage(result.version)
    assert lineage["training"]["steps"] == 30
    assert lineage["data"]["digest"] == training().digest
    assert {"loss_d", "loss_g"} <= set(lineage["metrics"])
    rows = [json.loads(line) for line in (result.run / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert [row["step"] for row in rows] == [10, 20, 30]
    with Image.open(result.grid) as grid:
        assert grid.format == "PNG"


def test_the_weights_moved(trained: "Trained", tmp_path: Path) -> None:
    one = ganzoo.train(
        trained.name,
        settings={"steps": 1, "batch": 16, "device": "cpu"},
        registry=tmp_path / "registry",
        runs=tmp_path / "runs",
        export=False,
    )
    before = Registry(tmp_path / "registry").read(one.version, "generator")
    assert Registry(trained.registry).read(trained.result.version, "generator") != before


def test_the_export_passed_every_gate_and_is_the_attached_file(trained: "Trained") -> None:
    result = trained.result
    assert set(result.gates) >= {"structure", "randomness", "signature", "parity", "independence"}
    assert result.onnx is not None
    assert result.onnx.read_bytes() == Registry(trained.registry).read(result.version, "onnx")


def test_samples_depend_on_seed_and_index_alone(trained: "Trained", generator: ImageGenerator) -> None:
    images = generator.sample(40, seed=7)
    card = generator.card
    assert images.dtype == np.uint8
    assert images.shape == (40, card.height, card.width, card.channels)
    assert len(np.unique(images.reshape(40, -1), axis=0)) == 40
    assert np.array_equal(images, generator.sample(40, seed=7))
    assert np.array_equal(images[:3], generator.sample(3, seed=7))
    assert np.array_equal(images[33:], generator.sample(7, seed=7, start=33))
    assert not np.array_equal(images, generator.sample(40, seed=8))


def test_the_file_is_as_good_as_the_name(trained: "Trained", generator: ImageGenerator) -> None:
    from_file = ganzoo.load(str(trained.result.onnx), device="cpu", threads=1)
    assert from_file.card == generator.card
    assert np.array_equal(from_file.sample(5, seed=3), generator.sample(5, seed=3))


def test_labels_where_the_model_takes_them(trained: "Trained", generator: ImageGenerator, client: httpx.Client) -> None:
    if not trained.conditional:
        assert generator.card.class_names == ()
        assert client.get("/v1/models/model/sample?label=3").status_code == 422
        return
    assert generator.card.class_names == training().class_names
    images = generator.sample(8, seed=7, label="3")
    assert np.array_equal(images, generator.sample(8, seed=7, label=3))
    assert not np.array_equal(images, generator.sample(8, seed=7, label="4"))
    served = client.get("/v1/models/model/sample?n=8&seed=7&label=3&format=npy")
    assert served.content == encode_npy(images.transpose(0, 3, 1, 2))


def test_the_server_sends_the_bytes_of_the_command_line(
    trained: "Trained", client: httpx.Client, tmp_path: Path
) -> None:
    reference = str(trained.result.version)
    for form, suffix in (("npy", "npy"), ("grid", "png")):
        output = tmp_path / f"samples.{suffix}"
        arguments = [reference, "-n", "16", "--seed", "7", "-o", str(output), "--registry", str(trained.registry)]
        assert main(["sample", *arguments, "--device", "cpu"]) == 0
        served = client.get(f"/v1/models/model/sample?n=16&seed=7&format={form}")
        assert served.status_code == 200
        assert served.content == output.read_bytes()
    with Image.open(io.BytesIO(served.content)) as picture:
        assert picture.format == "PNG"


def test_the_registry_knows_it_by_version_and_alias(trained: "Trained", capsys: pytest.CaptureFixture[str]) -> None:
    def printed(*arguments: str) -> str:
        assert main(["registry", *arguments, "--registry", str(trained.registry)]) == 0
        return capsys.readouterr().out

    version = str(trained.result.version)
    name = trained.result.version.name
    printed("alias", version, "champion")
    (listed,) = json.loads(printed("ls", "--json"))
    assert (listed["version"], listed["aliases"]) == (version, ["champion"])
    shown = json.loads(printed("show", f"{name}@champion", "--json"))
    assert shown["digest"] == trained.result.version.digest
    assert shown["lineage"]["config"]["steps"] == 30
    assert [event["event"] for event in json.loads(printed("log", name, "--json"))] == ["registered", "aliased"]


def test_the_module_makes_the_images_of_the_file(trained: "Trained", generator: ImageGenerator) -> None:
    module = ganzoo.load_torch(str(trained.result.version), registry=trained.registry)
    z = np.random.default_rng(0).normal(size=(5, generator.card.latent_dim)).astype(np.float32)
    labels = np.arange(5) % 10 if trained.conditional else None
    images = module(torch.from_numpy(z), None if labels is None else torch.from_numpy(labels)).detach().numpy()
    assert np.abs(images - generator.run(z, labels)).max() <= 1e-5
