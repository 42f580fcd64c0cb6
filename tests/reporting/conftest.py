"""Runs as a training leaves them, written by hand: nothing here trains."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganzoo.config import RunConfig
from ganzoo.images import encode_png
from ganzoo.records.run import Run
from ganzoo_registry import Registry, Version

FACTS = {
    "data": {
        "name": "digits",
        "named": True,
        "digest": "sha256:" + "0" * 64,
        "count": 1438,
        "held_out": None,
        "skipped": 0,
        "class_names": ["0", "1"],
    },
    "environment": {"python": "3.11.7", "hardware": {"cpu": "AVX2"}},
    "parents": [],
}


def png(shade: int, size: int = 16) -> bytes:
    return encode_png(np.full((1, size, size), shade, np.uint8))


MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """``make_run(steps=30, name="net")``: with a report every ten steps, and grids after the same steps."""

    def make(
        *,
        reports: Sequence[Mapping[str, Any]] | None = None,
        samples: Sequence[int] = (10, 20, 30),
        runs: str = "runs",
        **config: Any,
    ) -> Run:
        settings = {"name": "net", "size": 8, "steps": 30, "device": "cpu", "precision": "fp32", **config}
        run = Run.create(tmp_path / runs, RunConfig(model="vanilla", architecture="v", loss="hinge", **settings), FACTS)
        made = [
            {"step": s, "loss_d": 1 / s, "loss_g": -1.0, "images_per_second": 100.0 * s, "seconds": s * 60.0}
            for s in (10, 20, 30)
        ]
        for entry in made if reports is None else reports:
            values = dict(entry)
            run.log(values.pop("step"), values)
        for step in samples:
            run.sample_path(step).write_bytes(png(step % 256))
        return run

    return make


@pytest.fixture
def store(own_registry: Path) -> Registry:
    return Registry(own_registry)


@pytest.fixture
def make_version(store: Registry) -> Callable[..., Version]:
    """Registers what a run would be registered as, without weights."""

    def make(run: Run, class_names: Sequence[str] = ()) -> Version:
        lineage = {
            "config": run.shown_config(),
            "data": run.facts["data"],
            "environment": run.facts["environment"],
            "generator": {
                "architecture": "vanilla",
                "options": {},
                "latent_dim": 4,
                "channels": 1,
                "height": 8,
                "width": 8,
                "class_names": list(class_names),
            },
            "extra": {"ganzoo-notes/notes": {"mood": "good"}},
            "metrics": {"loss_d": 0.25},
            "parents": [{"relation": "init-from", "name": "old", "digest": "sha256:1"}],
            "plugins": [{"name": "vanilla", "distribution": "ganzoo", "version": "0.1.0", "api": "v1"}],
            "training": {"steps": run.config.steps, "images": 1920},
        }
        return store.register(run.config.name, {"preview": png(7)}, lineage)

    return make
