"""Tiny generators, an exported file of each, and one trained version; all made once."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganzoo import api
from ganzoo.exporting.convert import to_onnx
from ganzoo.exporting.reference import reference
from ganzoo.records.result import TrainResult
from ganzoo.runtime.card import GeneratorCard
from ganzoo_registry import Registry

NAMES = ("cat", "dog", "été")


class Generator(nn.Module):
    """z (+ an embedding of the label) -> 1 x 8 x 8 pixels."""

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.latent_dim = 4
        self.embedding = nn.Embedding(classes, 4) if classes else None
        self.layers = nn.Sequential(nn.Linear(4, 64), nn.BatchNorm1d(64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))

    def forward(self, z: Tensor, labels: Tensor | None) -> Tensor:
        images: Tensor = self.layers(z if self.embedding is None else z + self.embedding(labels))
        return images


def _card(classes: int = 0, **changed: Any) -> GeneratorCard:
    fields = {"name": "tiny", "latent_dim": 4, "channels": 1, "height": 8, "width": 8, "class_names": NAMES[:classes]}
    return GeneratorCard(**{**fields, **changed})


@pytest.fixture(scope="session")
def make_generator() -> type[Generator]:
    return Generator


@pytest.fixture(scope="session")
def make_card() -> Callable[..., GeneratorCard]:
    return _card


@pytest.fixture(scope="session", params=[0, 3], ids=["plain", "labelled"])
def exported(request: pytest.FixtureRequest) -> tuple[bytes, dict[str, Any]]:
    """An ONNX file, and torch's images to compare with."""
    generator = Generator(request.param).eval()
    return to_onnx(generator, _card(request.param)), dict(reference(generator, _card(request.param)))


@pytest.fixture(scope="session")
def plain() -> tuple[bytes, dict[str, Any]]:
    generator = Generator().eval()
    return to_onnx(generator, _card()), dict(reference(generator, _card()))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainResult]:
    """A registry with ``conditional:1``, trained two steps and exported."""
    home = tmp_path_factory.mktemp("trained")
    settings = {"steps": 2, "batch": 8, "options": {"width": 4, "latent_dim": 6}, "device": "cpu"}
    result = api.train("conditional", settings=settings, registry=home / "registry", runs=home / "runs")
    return home / "registry", result


@pytest.fixture
def store(trained: tuple[Path, TrainResult], tmp_path: Path) -> Registry:
    """A copy of that registry, to be changed."""
    return Registry(Path(shutil.copytree(trained[0], tmp_path / "copy")))
