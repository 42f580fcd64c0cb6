"""What is there: models, the registry, data sets."""

from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.api.door import as_reference, check_text
from ganzoo.files import registry_root
from ganzoo.specs import Model
from ganzoo.zoo.foreign import warn
from ganzoo.zoo.names import zoo
from ganzoo_registry import Registry, Version

if TYPE_CHECKING:
    import os

    from ganzoo.api.door import Reference


def models() -> list[Model]:
    """Every model that an installed plugin provides."""
    return zoo().all(Model)


def list_models(pattern: str = "*") -> list[str]:
    """The names of the models that match a pattern, such as ``"*gan*"``, as ``--model`` takes them, sorted."""
    check_text(pattern, "pattern")
    return sorted(name for name in map(zoo().shortest, models()) if fnmatch(name, pattern))


def open_registry(path: str | Path | None = None) -> Registry:
    """The registry at ``path``, else at ``$GANZOO_REGISTRY``, else in the user's data directory."""
    return Registry(registry_root(path))


def move_alias(
    reference: "Reference", alias: str, *, expect: int | None = None, registry: str | Path | None = None
) -> Version:
    """Let ``alias`` stand on the version that ``reference`` names, tell the plugins, and return the version.

    Args:
        expect: see ``Registry.alias``.

    Raises:
        RegistryError: there is no such version, or the alias stands elsewhere than expected.
    """
    check_text(alias, "alias")
    store = open_registry(registry)
    version = store.resolve(as_reference(reference))
    store.alias(str(version), alias, expect=expect)
    zoo().manager.notify("ganzoo_alias_moved", warn, version=version, alias=alias)
    return version


def describe_data(
    source: "str | os.PathLike[str]", *, size: int | None = None, held_out: float | None = None
) -> dict[str, Any]:
    """A data set in numbers: counts, size, classes, channels' means; see ``ganzoo.data.statistics.facts``.

    Args:
        source: a data set's name or a path.
        size: in pixels; None: the images' own.
        held_out: the share to hold out of a set that does not say itself what is held out; None: as a training does.
    """
    from ganzoo.config.tables import plain
    from ganzoo.data.statistics import described

    return described(plain(source), zoo(), plain(size), plain(held_out))
