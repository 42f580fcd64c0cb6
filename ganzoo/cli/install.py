"""``ganzoo install`` and ``ganzoo uninstall``: plugins, in the environment that ganzoo is in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ganzoo.cli.output import note, print_data, registry_option
from ganzoo.errors import PluginError, UsageError
from ganzoo.files import registry_root
from ganzoo.zoo.installed import Plugin, State

SHOWN = 5
"""Versions that a refusal names; it counts all of them."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("packages", nargs=-1, required=True, metavar="PACKAGE…", type=click.UNPROCESSED)
def install(packages: tuple[str, ...]) -> None:
    """Install plugins with pip, in the environment that ganzoo is in.

    PACKAGE is what pip takes: a name, a directory, a wheel; so are options (-e, --upgrade). Where pip must not, or
    cannot, change the environment (pipx, uv), the command to type is shown instead.
    """
    from ganzoo.distributions import installing

    found = installing.install(packages)
    for plugin in found.plugins:
        print_data(_line(plugin))
    if found.strangers:
        names = ", ".join(found.strangers)
        raise PluginError(
            f"{names}: no plugin; what was installed has no entry point in the group ganzoo.v1",
            hint=f"to take it away again: ganzoo uninstall {' '.join(found.strangers)}",
        )
    usable = [plugin.name for plugin in found.plugins if plugin.state is State.AVAILABLE]
    if usable:
        note(f"Next:\n  ganzoo plugins check {usable[0]}")


@click.command()
@click.argument("packages", nargs=-1, required=True, metavar="PACKAGE…")
@click.option("--yes", is_flag=True, help="Also if registered versions need it.")
@registry_option
def uninstall(packages: tuple[str, ...], yes: bool, registry: Path | None) -> None:
    """Take plugins away, by the names of their distributions.

    If versions of the registry were trained with one, they are named first: without it they can still be sampled and
    served where they were exported, but neither exported nor trained again.
    """
    from ganzoo.distributions import installing

    for package in packages:
        installing.check_spared(package)
    if not yes:
        _refuse_if_needed(packages, registry)
    installing.uninstall(packages)
    note(f"Took away {', '.join(packages)}.")


def _refuse_if_needed(packages: Sequence[str], registry: Path | None) -> None:
    from ganzoo.distributions.installing import needed_by

    versions = needed_by(packages, _lineages(registry))
    if versions:
        more = f" and {len(versions) - SHOWN:,} more" if len(versions) > SHOWN else ""
        raise UsageError(
            f"registered versions need {', '.join(packages)}: {', '.join(versions[:SHOWN])}{more}",
            hint=f"without it they cannot be exported or trained again: ganzoo uninstall {' '.join(packages)} --yes",
        )


def _lineages(registry: Path | None) -> dict[str, dict[str, Any]]:
    """Reference -> lineage of every version that can be read; what cannot be, is told."""
    from ganzoo.cli.failures import tell
    from ganzoo_registry import Registry
    from ganzoo_registry.errors import telling

    def told(error: Exception) -> None:
        tell(error)

    store, found = Registry(registry_root(registry)), dict[str, dict[str, Any]]()
    for name in store.names():
        for version in store.versions(name, told):
            with telling(told):
                found[str(version)] = store.lineage(version)
    return found


def _line(plugin: Plugin) -> str:
    return f"{plugin}" + (f" is {plugin.state}: {plugin.reason}" if plugin.reason else "")
