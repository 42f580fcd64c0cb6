"""Small trainings on the digits."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from ganzoo import api
from ganzoo.config import merge
from ganzoo.data import load as load_data
from ganzoo.records.result import TrainResult
from ganzoo.training.trainer import Trainer
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve

COVERING = ("conditional", "dcgan", "stylegan2", "vanilla", "wgan-gp")
"""Models that have between them what the engine tells apart: labels, penalties, lazy ones, samples that meet.
What holds of every model is in its conformance test."""


@pytest.fixture(params=COVERING)
def model(request: pytest.FixtureRequest) -> str:
    """Each of ``COVERING`` in turn."""
    name: str = request.param
    return name


def small(model: str, settings: Any) -> dict[str, Any]:
    """``settings`` over a batch of 8 and, where the architecture has the option, a width of 8."""
    options = fields(resolve(zoo(), model, settings).architecture.options)
    narrow = {"options": {"width": 8}} if "width" in {field.name for field in options} else {}
    return merge(narrow, {"batch": 8, "device": "cpu"}, settings)


@pytest.fixture
def make_trainer(own_registry: Path) -> Callable[..., Trainer]:
    """A trainer that is ready for its first step, in fp32 unless told otherwise: ``make_trainer(model, batch=4)``."""

    def make(model: str, **settings: Any) -> Trainer:
        return api.plan(model, settings=small(model, {"precision": "fp32", **settings}), registry=own_registry).trainer

    return make


@pytest.fixture
def train(tmp_path: Path, own_registry: Path) -> Callable[..., TrainResult]:
    """A whole training but for the export: ``train(model, steps=20)``; not keys but arguments: resume, init_from …"""

    def run(model: str, *, resume: str | None = None, init_from: str | None = None, **settings: Any) -> TrainResult:
        return api.train(
            None if resume else model,
            settings=settings if resume else small(model, settings),
            resume=resume,
            init_from=init_from,
            registry=own_registry,
            runs=tmp_path / "runs",
            export=False,
        )

    return run


@pytest.fixture
def weights() -> Callable[[Trainer], dict[str, torch.Tensor]]:
    """A copy of every weight, buffer and optimizer state of a trainer, by name."""

    def copy(trainer: Trainer) -> dict[str, torch.Tensor]:
        state = {
            f"{name}.{key}": value.clone()
            for name, module in trainer.modules().items()
            for key, value in module.state_dict().items()
        }
        for name, each in trainer.optimizations.items():
            state |= {f"{each.rule}.{name}.{key}": value.clone() for key, value in each.moments().items()}
        return state

    return copy


@pytest.fixture
def same() -> Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor]], bool]:
    """Whether two sets of tensors are equal to the bit."""
    return lambda one, other: one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture(scope="session")
def digits_by_pixels() -> dict[bytes, int]:
    """The label of each digit, by its pixels."""
    images = load_data("digits", zoo()).training
    assert images.labels is not None
    return {pixels.tobytes(): int(label) for pixels, label in zip(images.pixels, images.labels, strict=True)}
