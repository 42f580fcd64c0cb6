"""``ganzoo registry``: which versions there are, where they come from, and which aliases they have."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.cli.groups import Group
from ganzoo.cli.output import emit, flatten, json_option, note, print_data, registry_option
from ganzoo.cli.tables import table
from ganzoo.errors import ExitCode, UsageError
from ganzoo.files import registry_root

if TYPE_CHECKING:
    from ganzoo.records.ranking import Ranked
    from ganzoo_registry import Registry, Version


def _open(option: Path | None) -> "Registry":
    from ganzoo_registry import Registry

    return Registry(registry_root(option))


@click.group(cls=Group, no_args_is_help=False)
def command() -> None:
    """Look into the registry of trained versions, and name them.

    A REFERENCE is NAME (its newest version), NAME:3, NAME@ALIAS or NAME@sha256:DIGEST.
    """


@command.command()
@click.argument("name", required=False)
@click.option(
    "--sort",
    is_flag=False,
    flag_value="",
    metavar="[FIGURE]",
    help="Sort by a figure of ganzoo eval, the best first: fd, recall … [default: the figure that decided in training]",
)
@registry_option
@json_option
def ls(name: str | None, sort: str | None, registry: Path | None, as_json: bool) -> int:
    """List the models, or the versions of model NAME.

    Figures of different protocols are not comparable, so each protocol has a column of its own; the one that most
    versions have decides the order.
    """
    store = _open(registry)
    failures = Failures()
    found = _summaries(store, store.versions(name, failures) if name else store.newest(failures), failures)
    if sort is None:
        emit(list(found.values()), as_json, _listing)
    else:
        from ganzoo.api import figures  # it needs the plugins, which a plain listing does not
        from ganzoo.records.ranking import by_figure

        ranked = by_figure(store, list(found), sort, figures(), failures)
        rows = [
            {**found[each.version], "figure": each.figure, "figures": each.figures, "beside": each.beside}
            for each in ranked
        ]
        emit(rows, as_json, lambda _: _ranking(ranked, rows))
    if not found and failures.code == ExitCode.OK:
        note(f"Nothing is registered in {store.root}. Train something: ganzoo train --model wgan-gp")
    return failures.code


class Failures:
    """Shows each failure without hiding the rest of the listing, and keeps the exit code of the last one."""

    def __init__(self) -> None:
        self.code = int(ExitCode.OK)

    def __call__(self, error: Exception) -> None:
        """Show a failure."""
        from ganzoo.cli.failures import tell

        self.code = tell(error)


@command.command()
@click.argument("reference")
@registry_option
@json_option
def show(reference: str, registry: Path | None, as_json: bool) -> int:
    """Show a version: what it holds and where it comes from."""
    from ganzoo_registry.errors import telling

    store, failures = _open(registry), Failures()
    version = store.resolve(reference)
    content, lineage, kinds = {}, {}, store.kinds(version)
    for kind in sorted(kinds):
        with telling(failures):
            content[kind] = {"digest": kinds[kind].digest, "size": kinds[kind].size}
    with telling(failures):
        lineage = store.lineage(version)
    summary = _summary(version, _named(store, version.name, failures))
    emit({**summary, "kinds": content, "lineage": lineage}, as_json, _page)
    return failures.code


@command.command()
@click.argument("reference", metavar="REFERENCE|NAME")
@click.argument("alias")
@click.option(
    "--expect",
    type=click.IntRange(min=0),
    metavar="N",
    help="Move it only if it stands on version N now (0: on none).",
)
@click.option("--delete", is_flag=True, help="Take ALIAS away from the model whose NAME is given.")
@registry_option
def alias(reference: str, alias: str, expect: int | None, delete: bool, registry: Path | None) -> None:
    """Let ALIAS stand on a version: ganzoo registry alias wgan-gp:3 champion."""
    if delete:
        _open(registry).unalias(reference, alias, expect=expect)
        note(f"{reference}@{alias} stands on no version now.")
        return
    from ganzoo.api import move_alias

    version = move_alias(reference, alias, expect=expect, registry=registry)
    note(f"{version.name}@{alias} is {version}.")


@command.command()
@click.argument("name")
@registry_option
@json_option
def log(name: str, registry: Path | None, as_json: bool) -> int:
    """Tell what happened to model NAME, oldest first."""
    failures = Failures()
    events: list[dict[str, Any]] = [
        {
            "when": entry.when,
            "event": entry.event,
            "version": entry.number,
            "alias": entry.alias,
            "previous": entry.previous,
            "by": entry.by,
            "what": entry.what,
        }
        for entry in _open(registry).log(name, failures)
    ]
    emit(
        events,
        as_json,
        lambda events: table(
            ("WHEN", "BY", "WHAT"),
            [(_moment(event["when"]), event["by"] or "", event["what"]) for event in events],
        ),
    )
    return failures.code


@command.command()
@click.argument("reference")
@click.argument("kind")
@registry_option
def path(reference: str, kind: str, registry: Path | None) -> None:
    """Print the path of a version's file KIND, verified; show lists the kinds. Do not change the file."""
    store = _open(registry)
    print_data(store.path(store.resolve(reference), kind))


@command.command()
@click.argument("reference", metavar="NAME:N")
@registry_option
def rm(reference: str, registry: Path | None) -> None:
    """Remove one version, named by its number. The number is never used again."""
    from ganzoo_registry import Corrupt, Reference

    store = _open(registry)
    try:
        version = store.resolve(reference)
    except Corrupt:
        if Reference.parse(reference).number is None:
            raise
        store.discard(reference)
    else:
        if reference != str(version):  # the newest today is another one tomorrow
            raise UsageError("rm wants one exact version", hint=f"ganzoo registry rm {version}")
        store.remove(version)
    note(f"Removed {reference}.")


def _summaries(
    store: "Registry", versions: "Sequence[Version]", failed: Callable[[Exception], None]
) -> "dict[Version, dict[str, Any]]":
    """What is listed of each version."""
    from ganzoo_registry import NotFound

    found: dict[Version, dict[str, Any]] = {}
    named: dict[str, dict[int, list[str]]] = {}
    for version in versions:
        try:
            if version.name not in named:
                named[version.name] = _named(store, version.name, failed)
        except NotFound:  # its directory was taken away meanwhile
            continue
        found[version] = _summary(version, named[version.name])
    return found


def _named(store: "Registry", name: str, failed: Callable[[Exception], None]) -> dict[int, list[str]]:
    """Version number -> the aliases that stand on it."""
    found: dict[int, list[str]] = {}
    for alias, number in sorted(store.aliases(name, failed).items()):
        found.setdefault(number, []).append(alias)
    return found


def _summary(version: "Version", named: Mapping[int, list[str]]) -> dict[str, Any]:
    return {
        "version": str(version),
        "name": version.name,
        "number": version.number,
        "digest": version.digest,
        "created": version.created,
        "aliases": named.get(version.number, []),
    }


def _listing(versions: list[dict[str, Any]]) -> str:
    rows = [
        (
            version["version"],
            _moment(version["created"]),
            ", ".join(version["aliases"]),
            version["digest"][: len("sha256:") + 12],
        )
        for version in versions
    ]
    return table(("VERSION", "CREATED", "ALIASES", "DIGEST"), rows)


def _ranking(ranked: "Sequence[Ranked]", rows: list[dict[str, Any]]) -> str:
    """A table with one column for each protocol, and one more for what is shown beside the figure."""
    from ganzoo.records.ranking import protocols

    figures = {ranked[0].figure: [each.figures for each in ranked]} if ranked else {}
    for name in ranked[0].beside if ranked else ():
        figures[name] = [each.beside[name] for each in ranked]
    columns = [(name, key) for key in protocols(ranked) for name in figures]
    lines = [
        [
            row["version"],
            *(f"{figures[name][place][key]:.4g}" if key in figures[name][place] else "" for name, key in columns),
            ", ".join(row["aliases"]),
        ]
        for place, row in enumerate(rows)
    ]
    return table(["VERSION", *(f"{name.upper()} ({key})" for name, key in columns), "ALIASES"], lines)


def _page(version: dict[str, Any]) -> str:
    files = [(kind, blob["size"], blob["digest"]) for kind, blob in version["kinds"].items()]
    return "\n".join(
        [
            _listing([version]),
            "",
            table(("KIND", "BYTES", "DIGEST"), files),
            "",
            table(("LINEAGE", ""), flatten(version["lineage"])),
        ]
    )


def _moment(timestamp: str) -> str:
    """A stored timestamp to the second, in UTC."""
    return timestamp[:19].replace("T", " ") + " UTC"
