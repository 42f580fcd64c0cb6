"""``ganzoo plugins``: what is installed, and what is wrong with it."""

from collections.abc import Sequence
from typing import Any

import click

from ganzoo.cli.output import emit, json_option, table
from ganzoo.zoo.discovery import Plugin
from ganzoo.zoo.names import zoo


@click.command()
@json_option
def command(as_json: bool) -> None:
    """List the installed plugins, with the reason of each that cannot be used.

    A plugin that was set aside because it ends the process is tried again.

    GANZOO_PLUGINS=NAME,DIST/NAME loads only these (builtin: those that come with ganzoo; empty: none).
    GANZOO_STRICT_PLUGINS=1 makes a broken plugin an error.
    """
    from ganzoo.zoo.trial import try_again

    try_again()
    emit([describe(plugin) for plugin in zoo().manager.plugins], as_json, _listing)


def describe(plugin: Plugin) -> dict[str, Any]:
    """A plugin as JSON."""
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "location": plugin.location,
        "target": plugin.target,
        "api": plugin.api,
        "state": str(plugin.state),
        "reason": plugin.reason,
        "provides": [{"kind": spec.kind, "name": spec.name} for spec in plugin.specs],
    }


def _listing(plugins: Sequence[dict[str, Any]]) -> str:
    rows = [
        (
            f"{plugin['distribution']}/{plugin['name']}",
            plugin["version"],
            plugin["state"],
            plugin["reason"] or ", ".join(f"{spec['kind']} {spec['name']}" for spec in plugin["provides"]),
        )
        for plugin in plugins
    ]
    return table(("PLUGIN", "VERSION", "STATE", "PROVIDES, OR WHAT IS WRONG"), rows)
