"""What every registered model goes through, once a session."""

from dataclasses import dataclass
from pathlib import Path

import pytest

import ganzoo
from ganzoo.records.result import TrainResult
from ganzoo.specs import Architecture, Model
from ganzoo.zoo.names import zoo

STEPS = 30


@dataclass(frozen=True)
class Trained:
    """A model, and what 30 steps on digits left."""

    name: str
    conditional: bool
    registry: Path
    result: TrainResult


@pytest.fixture(scope="session", params=zoo().all(Model), ids=zoo().shortest)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train, register and export a model: of the built-in plugins, and of any other that is installed."""
    model: Model = request.param
    name = zoo().shortest(model)
    architecture = zoo().get(Architecture, model.architecture, home=zoo().owner(model).distribution)
    place = tmp_path_factory.mktemp("place")
    result = ganzoo.train(
        name,
        settings={"steps": STEPS, "batch": 16, "report_every": 10, "device": "cpu"},
        registry=place / "registry",
        runs=place / "runs",
    )
    return Trained(name, architecture.conditional, place / "registry", result)
