"""What the shell completes: names of models, of runs, and of what is registered. It never fails, and says nothing."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from ganzoo.cli.output import opened
from ganzoo.errors import GanzooError
from ganzoo_registry.errors import passed_over


def models(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The models that can be trained."""
    from ganzoo.api import list_models

    return _beginning(begun, list_models)


def names(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The models that have a version."""
    return _beginning(begun, lambda: opened(_path(context, "registry")).names())


def references(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """Names; of a name that is typed, its versions (``name:``) or its aliases (``name@``)."""

    def found() -> Iterable[str]:
        store = opened(_path(context, "registry"))
        for name in store.names():
            yield name
            if begun.startswith(f"{name}:"):
                yield from map(str, store.versions(name, passed_over))
            if begun.startswith(f"{name}@"):
                yield from (f"{name}@{alias}" for alias in store.aliases(name, passed_over))

    return _beginning(begun, found)


def runs(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """The runs, and ``last``."""
    from ganzoo.records.directories import numbered

    def found() -> Iterable[str]:
        yield "last"
        for directory in numbered(_path(context, "runs") or Path("runs"), "config.toml"):
            yield f"{directory.parent.name}/{directory.name}"

    return _beginning(begun, found)


def _path(context: click.Context, option: str) -> Path | None:
    value: Any = context.params.get(option)
    return Path(value) if value else None


def _beginning(begun: str, found: Any) -> list[str]:
    try:
        return [each for each in found() if each.startswith(begun)]
    except (GanzooError, OSError):
        return []
