"""``ganzoo plugins``: what is installed, what is wrong with it, whether it conforms; a new one; what an index has."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.cli.groups import Group, refuse_options
from ganzoo.cli.output import PathOption, emit, json_option, note, print_data
from ganzoo.cli.tables import listing, table
from ganzoo.errors import ExitCode, UsageError
from ganzoo.progress.bars import ProgressBar
from ganzoo.zoo.discovery import Plugin
from ganzoo.zoo.names import zoo

if TYPE_CHECKING:
    from ganzoo.testing.running import Result


class _Kind(click.Choice[str]):
    """The kinds of plugin that can be begun, from their table."""

    def __init__(self) -> None:
        from ganzoo.distributions.scaffold import PARTS

        super().__init__(list(PARTS))


@click.group(cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the installed plugins, with the reason of each that cannot be used; check one, or begin one.

    A plugin that was set aside because it ends the process is tried again.

    GANZOO_PLUGINS=NAME,DIST/NAME loads only these (builtin: those that come with ganzoo; empty: none).
    GANZOO_STRICT_PLUGINS=1 makes a broken plugin an error.
    """
    refuse_options(context)
    if context.invoked_subcommand is None:
        _list(as_json)


@command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the installed plugins, with the reason of each that cannot be used."""
    _list(as_json)


def _list(as_json: bool) -> None:
    from ganzoo.zoo.trial import try_again

    try_again()
    emit([describe(plugin) for plugin in zoo().manager.plugins], as_json, _listing)


@command.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show plugin NAME: where it comes from, and all that it provides."""
    from ganzoo.testing.finding import find_plugin

    plugin = find_plugin(name)
    details = describe(plugin)
    for spec, each in zip(plugin.specs, details["provides"], strict=True):
        each["summary"] = spec.summary
    emit(details, as_json, _page)


@command.command()
@click.argument("name", required=False)
@click.option("--isolated", is_flag=True, help="Check in another process, so that a crash is named and ends no more.")
@click.option(
    "--exempt",
    "exemptions",
    multiple=True,
    metavar="CHECK=REASON",
    help="A check that cannot pass, and why; it fails if it passes. CHECK may be 'CHECK of KIND NAME'.",
)
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="Set a key of the configuration to train by.")
@json_option
def check(name: str | None, isolated: bool, exemptions: Sequence[str], pairs: Sequence[str], as_json: bool) -> int:
    """Check that plugin NAME does what plugins must do; without NAME, every plugin that did not come with ganzoo.

    Nothing is downloaded, and nothing is written. Exit code 5 if a check fails.
    """
    from ganzoo.cli.settings import parse_settings
    from ganzoo.testing.finding import find_plugin, third_party
    from ganzoo.testing.isolation import check_isolated
    from ganzoo.testing.running import Outcome, check_plugin

    plugins = [find_plugin(name)] if name else third_party()
    exempt, settings = dict(map(_exemption, exemptions)), parse_settings(list(pairs))
    found: dict[Plugin, list[Result]] = {}
    for plugin in plugins:
        with ProgressBar(f"checking {plugin.qualified}", "checks") as bar:
            run = check_isolated if isolated else check_plugin
            found[plugin] = run(plugin, exempt=exempt, settings=settings, seen=bar)
    emit(
        [
            {**describe(plugin), "results": [result.to_json() for result in results]}
            for plugin, results in found.items()
        ],
        as_json,
        lambda _: "\n\n".join(_report(plugin, results) for plugin, results in found.items()),
    )
    if not name:
        _tell_of_builtins(found)
    failed = any(result.outcome is Outcome.FAIL for results in found.values() for result in results)
    return ExitCode.PLUGIN if failed else ExitCode.OK


def _exemption(text: str) -> tuple[str, str]:
    name, equals, reason = text.partition("=")
    if not equals:
        raise UsageError(f"--exempt {text}: not of the form CHECK=REASON", hint='--exempt "two ranks=it draws noise"')
    return name, reason


def _tell_of_builtins(checked: Any) -> None:
    builtin = [plugin.name for plugin in zoo().manager.plugins if plugin.builtin]
    if not checked:
        note("No plugin is installed but those that come with ganzoo.")
    if builtin:
        note(f"{len(builtin)} built-in plugins were not checked; by name they are: ganzoo plugins check {builtin[0]}")


@command.command()
@click.argument("name")
@click.option("--kind", type=_Kind(), default="model", show_default=True, help="What the plugin provides.")
@click.option("--directory", type=PathOption(), metavar="DIR", help="Where to write it. [default: ganzoo-NAME]")
def new(name: str, kind: str, directory: Path | None) -> None:
    """Begin plugin NAME: a distribution that is complete, and works before a line of it is changed."""
    from ganzoo.distributions.scaffold import begin, check_name

    check_name(name)
    for plugin in zoo().manager.plugins:
        taken = [f"{spec.kind} {name!r}" for spec in plugin.specs if spec.name == name]
        taken += [
            f"figure {name!r}" for spec in plugin.specs if kind == "metric" and name in getattr(spec, "figures", ())
        ]
        if taken or plugin.name == name:
            what = f"{taken[0]} is in {plugin}" if taken else f"plugin {plugin} is installed"
            raise UsageError(f"{what} already", hint="choose another name: people type it alone")
    place = begin(name, kind, directory)
    print_data(place)
    note(f"Next:\n  ganzoo install -e {shlex.quote(str(place))}\n  ganzoo plugins check {name}")


@command.command()
@click.argument("word")
@json_option
def search(word: str, as_json: bool) -> None:
    """Search an index of plugins for WORD. GANZOO_PLUGIN_INDEX says where it is: a file, or an address."""
    from dataclasses import asdict

    from ganzoo.distributions.index import search as find
    from ganzoo.zoo.installed import discover, normalise

    here = {plugin.distribution for plugin in discover({})}
    entries = [{**asdict(entry), "installed": normalise(entry.distribution) in here} for entry in find(word)]
    emit(entries, as_json, _index)
    if not entries:
        note(f"No plugin of the index speaks of {word!r}.")


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


def _page(plugin: dict[str, Any]) -> str:
    facts = [(key, plugin[key]) for key in ("distribution", "version", "location", "target", "api", "state", "reason")]
    specs = [(spec["kind"], spec["name"], spec["summary"]) for spec in plugin["provides"]]
    shown = listing([(key, value) for key, value in facts if value])
    return f"{plugin['name']}\n\n{shown}\n\n{table(('KIND', 'NAME', 'SUMMARY'), specs)}"


def _report(plugin: Plugin, results: "Sequence[Result]") -> str:
    rows = [(result.outcome, result.check, result.subject, result.reason) for result in results]
    outcomes = [str(result.outcome) for result in results]
    counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(sorted(outcomes)))
    return f"{plugin}\n{table(('RESULT', 'CHECK', 'OF', 'WHAT WAS FOUND'), rows)}\n{counts}"


def _index(entries: Sequence[dict[str, Any]]) -> str:
    rows = [
        (
            entry["distribution"],
            entry["version"],
            "yes" if entry["installed"] else "",
            ", ".join(entry["provides"]),
            entry["summary"],
        )
        for entry in entries
    ]
    return table(("DISTRIBUTION", "VERSION", "INSTALLED", "PROVIDES", "SUMMARY"), rows)
