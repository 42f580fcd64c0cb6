"""The lineage of a version that a training made: others may put what they like into a registry."""

from collections.abc import Collection, Mapping
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

LISTS: Mapping[str, tuple[str, ...]] = {
    "parents": ("relation", "name", "digest"),
    "plugins": ("distribution", "name", "version"),
}
"""Part that is a list of tables -> what is read of each."""


def trained(store: Registry, version: Version, *parts: str) -> dict[str, Any]:
    """The lineage, with all that is read of it.

    Args:
        parts: what the caller reads; none: all of it.

    Raises:
        UsageError: it is not that of a training.
        RegistryError, IntegrityError: it cannot be read.
    """
    lineage = store.lineage(version)
    if lacks := _lacks(lineage, parts or (*READ, *LISTS)):
        raise UsageError(
            f"{version} was not made by ganzoo train: its record has no {lacks!r}",
            hint=f"see what it has: ganzoo registry show {version}",
        )
    return lineage


def _lacks(lineage: Mapping[str, Any], parts: Collection[str]) -> str | None:
    for part in parts:
        found = lineage.get(part)
        if part in LISTS:
            if not _is_list(found, LISTS[part]):
                return part
        elif not isinstance(found, dict):
            return part
        elif lacking := [name for name in READ[part] if name not in found]:
            return f"{part}.{lacking[0]}"
    return None


def _is_list(part: object, names: Collection[str]) -> bool:
    return isinstance(part, list) and all(isinstance(each, dict) and each.keys() >= set(names) for each in part)
