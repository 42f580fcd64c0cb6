"""The lineage record: everything that says what a version is, and by which it can be trained again.

It holds no host or user name, no absolute path and no time: the same training gives the same record, and the same
record and weights are the same version.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.files import json_value
from ganzoo.specs import Architecture, Dataset, ImageShape, Spec
from ganzoo.zoo.names import Zoo

if TYPE_CHECKING:
    from ganzoo.data import Split
    from ganzoo.records.run import Run
    from ganzoo.zoo.recipe import Recipe

FORMAT = 1

CLOCKED = ("images_per_second", "seconds")
"""Metrics that measure time, and so differ between two equal trainings."""


def data_facts(source: str, dataset: Dataset | None, split: "Split") -> dict[str, Any]:
    """The facts of the training images (where they came from, digest, count, classes), and what was held out.

    Args:
        source: what ``--data`` said; only a path's last part is recorded.
        dataset: the data set that ``source`` names; None if it is a path.
    """
    images, held_out = split.training, split.held_out
    return {
        "name": source if dataset else Path(source).resolve().name,
        "named": dataset is not None,
        "digest": images.digest,
        "count": len(images),
        "held_out": {"digest": held_out.digest, "count": len(held_out)} if held_out else None,
        "skipped": len(images.skipped),
        "class_names": list(images.class_names),
    }


def record(
    *,
    zoo: Zoo,
    recipe: "Recipe",
    run: "Run",
    shape: ImageShape,
    latent_dim: int,
    images_shown: int,
    metrics: Mapping[str, float],
    parents: Iterable[Mapping[str, str]],
    extra: Mapping[str, Any],
    frozen: Mapping[str, str],
) -> dict[str, Any]:
    """Assemble the record of a finished run.

    Args:
        metrics: the newest that training logged; times, and what is not a finite number, are left out.
        parents: digests of the versions that it started from.
        extra: what plugins add, by plugin.
        frozen: where the networks use weights that are stored elsewhere -> SHA-256 of the file.
    """
    config, steps = run.shown_config(), run.config.steps
    events = [event for event in run.events() if event["step"] <= steps]  # the best version knows nothing of later ones
    specs = [*recipe.specs, *(spec for spec in zoo.all(Dataset) if run.config.data in (spec.name, zoo.qualified(spec)))]
    found = {
        "format": FORMAT,
        "config": config,
        "generator": {
            "architecture": config["generator_of"] or config["architecture"],
            "options": config["generator_options"] if config["generator_of"] else config["options"],
            "channels": shape.channels,
            "height": shape.height,
            "width": shape.width,
            "latent_dim": latent_dim,
            "class_names": run.facts["data"]["class_names"] if recipe.architecture.conditional else [],
            **_controls(recipe.networks["generator"][0]),
        },
        "data": run.facts["data"],
        "training": {"steps": steps, "images": images_shown, "events": events},
        "metrics": {name: value for name, value in metrics.items() if name not in CLOCKED and math.isfinite(value)},
        "plugins": plugins(zoo, specs),
        "environment": run.facts["environment"],
        "parents": list(parents),
        "extra": dict(extra),
    } | ({"frozen": dict(frozen)} if frozen else {})
    return {key: json_value(value) for key, value in found.items()}


def _controls(architecture: Architecture) -> dict[str, Any]:
    """The architecture's controls under their key; nothing where there are none, as in records of before."""
    ranges = architecture.control_ranges
    return {"controls": {name: asdict(control) for name, control in ranges.items()}} if ranges else {}


def plugins(zoo: Zoo, specs: Iterable[Spec]) -> list[dict[str, str]]:
    """The plugins that ``specs`` come from, with their versions, in the order of their names."""
    used = {}
    for spec in specs:
        plugin = zoo.owner(spec)
        used[plugin.qualified] = {
            "name": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "api": plugin.api,
        }
    return [used[key] for key in sorted(used)]
