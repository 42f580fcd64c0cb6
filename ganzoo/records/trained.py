"""The lineage of a version that a training made: others may put what they like into a registry."""

from typing import Any

from ganzoo.errors import UsageError
from ganzoo_registry import Registry, Version

PARTS = ("config", "data", "generator", "training", "metrics")


def trained(store: Registry, version: Version) -> dict[str, Any]:
    """The lineage, with all ``PARTS``.

    Raises:
        UsageError: it is not that of a training.
        RegistryError, IntegrityError: it cannot be read.
    """
    lineage = store.lineage(version)
    if lacking := [part for part in PARTS if not isinstance(lineage.get(part), dict)]:
        raise UsageError(
            f"{version} was not made by ganzoo train: its record has no {lacking[0]!r}",
            hint=f"see what it has: ganzoo registry show {version}",
        )
    return lineage
