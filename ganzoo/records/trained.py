"""The lineage of a version that a training made: others may put what they like into a registry."""

from collections.abc import Mapping
from typing import Any

from ganzoo.errors import UsageError
from ganzoo_registry import Registry, Version

READ: Mapping[str, tuple[str, ...]] = {
    "config": ("model", "size", "steps", "batch", "device", "precision"),
    "data": ("name", "count"),
    "generator": ("architecture", "options", "latent_dim", "channels", "height", "width", "class_names"),
    "training": ("steps", "images"),
    "metrics": (),
    "environment": (),
    "extra": (),
}
"""Part of a lineage -> what is read of it."""

LISTS = ("parents", "plugins")
"""Parts that are lists of objects."""


def trained(store: Registry, version: Version) -> dict[str, Any]:
    """The lineage, with all that is read of it.

    Raises:
        UsageError: it is not that of a training.
        RegistryError, IntegrityError: it cannot be read.
    """
    lineage = store.lineage(version)
    if lacks := _lacks(lineage):
        raise UsageError(
            f"{version} was not made by ganzoo train: its record has no {lacks!r}",
            hint=f"see what it has: ganzoo registry show {version}",
        )
    return lineage


def _lacks(lineage: Mapping[str, Any]) -> str | None:
    for part, names in READ.items():
        found = lineage.get(part)
        if not isinstance(found, dict):
            return part
        for name in names:
            if name not in found:
                return f"{part}.{name}"
    return next((part for part in LISTS if not isinstance(lineage.get(part), list)), None)
