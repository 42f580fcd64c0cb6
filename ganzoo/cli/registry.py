"""``ganzoo registry``: which versions there are, where they come from, and which aliases they have."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.cli import completion, upkeep, versions
from ganzoo.cli.failures import Failures
from ganzoo.cli.groups import Group
from ganzoo.cli.output import emit, json_option, note, opened, print_data, registry_option, there
from ganzoo.cli.tables import table
from ganzoo.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from ganzoo.records.catalogue import Entry
    from ganzoo_registry import Registry, Version


@click.group(cls=Group, no_args_is_help=False)
def command() -> None:
    """Look into the registry of trained versions, and name them.

    A REFERENCE is NAME (its newest version), NAME:3, NAME@ALIAS or NAME@sha256:DIGEST.
    """


@command.command()
@click.argument("name", required=False, shell_complete=completion.names)
@click.option("--all", "every", is_flag=True, help="List all versions of all models.")
@click.option("--tag", metavar="TAG", help="List only versions that have this tag.")
@click.option(
    "--sort",
    is_flag=False,
    flag_value="",
    metavar="[FIGURE]",
    help="Sort by a figure of ganzoo eval, the best first: fd, recall … [default: the figure that decided in training]",
)
@registry_option
@json_option
def ls(name: str | None, every: bool, tag: str | None, sort: str | None, registry: Path | None, as_json: bool) -> int:
    """List the newest version of each model, or the versions of model NAME.

    Figures of different protocols are not comparable: where some differ in that, each says its protocol. With --sort,
    each protocol has a column of its own; the one that most versions have decides the order.
    """
    from ganzoo.records.catalogue import entries

    store, failures = opened(registry), Failures()
    found = entries(store, _asked(store, name, every, failures), failures)
    if tag is not None:
        found = [entry for entry in found if tag in entry.tags]
    if sort is None:
        emit([versions.data(entry) for entry in found], as_json, lambda _: versions.listed(found))
    else:
        _sorted(store, found, sort, as_json, failures)
    if not found and failures.code == ExitCode.OK:
        note(_nothing(store, name, tag))
    return failures.code


def _asked(store: "Registry", name: str | None, every: bool, failures: Failures) -> "list[Version]":
    if name is not None and every:
        raise UsageError("--all lists every model, and a NAME one of them", hint=f"ganzoo registry ls {name}")
    if every:
        return [version for each in store.names() for version in store.versions(each, failures)]
    return store.versions(name, failures) if name else store.newest(failures)


def _sorted(store: "Registry", found: "list[Entry]", figure: str, as_json: bool, failures: Failures) -> None:
    from ganzoo.api import figures  # it needs the plugins, which a plain listing does not
    from ganzoo.records.ranking import by_figure

    known = {entry.version: entry for entry in found}
    ranked = by_figure(store, list(known), figure, figures(), failures)
    rows = [
        {**versions.data(known[each.version]), "figure": each.figure, "figures": each.figures, "beside": each.beside}
        for each in ranked
    ]
    emit(rows, as_json, lambda _: versions.ranking(ranked, [known[each.version] for each in ranked]))


def _nothing(store: "Registry", name: str | None, tag: str | None) -> str:
    if tag is not None and store.names():
        return f"No version has the tag {tag!r}. " + there(f"Tag one: ganzoo registry tag {name or 'NAME'}:N {tag}")
    return f"Nothing is registered in {store.root}. " + there("Train something: ganzoo train --model wgan-gp")


@command.command()
@click.argument("reference", shell_complete=completion.references)
@registry_option
@json_option
def show(reference: str, registry: Path | None, as_json: bool) -> int:
    """Show a version: what it holds, how good it is, and where it comes from."""
    from ganzoo.records.catalogue import entries
    from ganzoo.records.evaluation import evaluations
    from ganzoo.records.remarks import is_tag
    from ganzoo_registry.errors import telling

    store, failures = opened(registry), Failures()
    version = store.resolve(reference)
    content, lineage, kinds = {}, {}, store.kinds(version)
    for kind in sorted(kinds):
        with telling(failures):
            content[kind] = {"digest": kinds[kind].digest, "size": kinds[kind].size}
    with telling(failures):
        lineage = store.lineage(version)
    (entry,) = entries(store, [version], failures)
    shown = {kind: blob for kind, blob in content.items() if not is_tag(kind)}
    emit(
        {**versions.data(entry), "kinds": shown, "lineage": lineage},
        as_json,
        lambda _: versions.page(entry, shown, lineage, list(evaluations(store, version, failures).values())),
    )
    return failures.code


@command.command()
@click.argument("reference", metavar="REFERENCE|NAME", shell_complete=completion.references)
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
        from ganzoo_registry import Reference

        name = Reference.parse(reference).name  # whichever of its versions is named
        opened(registry).unalias(name, alias, expect=expect)
        note(f"{name}@{alias} stands on no version now.")
        return
    from ganzoo.api import move_alias

    version = move_alias(reference, alias, expect=expect, registry=registry)
    note(f"{version.name}@{alias} is {version}.")


@command.command()
@click.argument("name", shell_complete=completion.names)
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
        for entry in opened(registry).log(name, failures)
    ]
    emit(
        events,
        as_json,
        lambda events: table(
            ("WHEN", "BY", "WHAT"),
            [(versions.moment(event["when"]), event["by"] or "", event["what"]) for event in events],
        ),
    )
    return failures.code


@command.command()
@click.argument("reference", shell_complete=completion.references)
@click.argument("kind")
@registry_option
def path(reference: str, kind: str, registry: Path | None) -> None:
    """Print the path of a version's file KIND, verified; show lists the kinds. Do not change the file."""
    store = opened(registry)
    print_data(store.path(store.resolve(reference), kind))


@command.command()
@click.argument("reference", metavar="NAME:N", shell_complete=completion.references)
@registry_option
def rm(reference: str, registry: Path | None) -> None:
    """Remove one version, named by its number. The number is never used again; gc frees the room."""
    from ganzoo_registry import Corrupt, Reference

    store = opened(registry)
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


for each in upkeep.COMMANDS:
    command.add_command(each)
