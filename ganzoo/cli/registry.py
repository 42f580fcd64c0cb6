"""``ganzoo registry``: which versions there are, where they come from, and which of them has a name."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.cli.groups import Group
from ganzoo.cli.output import emit, flatten, json_option, note, registry_option, table
from ganzoo.errors import ExitCode, UsageError
from ganzoo.paths import registry_root

if TYPE_CHECKING:
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
@click.option("--sort", metavar="FIGURE", help="By what ganzoo eval found, the best first: fd, recall …")
@registry_option
@json_option
def ls(name: str | None, sort: str | None, registry: Path | None, as_json: bool) -> int:
    """List the models, or the versions of model NAME.

    Figures of different protocols are not comparable, so each protocol has a column of its own; the one that most
    versions have decides the order.
    """
    store = _open(registry)
    if name:
        versions, code = [_summary(store, version) for version in store.versions(name)], int(ExitCode.OK)
    else:
        versions, code = _newest(store)
    if sort:
        from ganzoo.cli import ranking  # it needs the plugins, which a plain listing does not

        versions, damage = ranking.ranked(store, versions, sort)
        code = damage or code
        emit(versions, as_json, lambda versions: ranking.listing(versions, sort))
    else:
        emit(versions, as_json, _listing)
    if not versions and code == ExitCode.OK:
        note(f"Nothing is registered in {store.root}. Train something: ganzoo train --model wgan-gp")
    return code


@command.command()
@click.argument("reference")
@registry_option
@json_option
def show(reference: str, registry: Path | None, as_json: bool) -> None:
    """Show a version: what it holds and where it comes from."""
    store = _open(registry)
    version = store.resolve(reference)
    content = {kind: {"digest": blob.digest, "size": blob.size} for kind, blob in sorted(store.kinds(version).items())}
    emit({**_summary(store, version), "kinds": content, "lineage": store.lineage(version)}, as_json, _page)


@command.command()
@click.argument("reference")
@click.argument("alias")
@click.option(
    "--expect",
    type=click.IntRange(min=0),
    metavar="N",
    help="Only if it stands on version N now (0: on none).",
)
@registry_option
def alias(reference: str, alias: str, expect: int | None, registry: Path | None) -> None:
    """Let ALIAS stand on a version: ganzoo registry alias wgan-gp:3 champion."""
    store = _open(registry)
    version = store.resolve(reference)
    store.alias(str(version), alias, expect=expect)
    note(f"{version.name}@{alias} is {version}.")


@command.command()
@click.argument("name")
@registry_option
@json_option
def log(name: str, registry: Path | None, as_json: bool) -> None:
    """Tell what happened to model NAME, oldest first."""
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
        for entry in _open(registry).log(name)
    ]
    emit(
        events,
        as_json,
        lambda events: table(
            ("WHEN", "BY", "WHAT"),
            [(_moment(event["when"]), event["by"] or "", event["what"]) for event in events],
        ),
    )


@command.command()
@click.argument("reference")
@click.argument("kind")
@registry_option
def path(reference: str, kind: str, registry: Path | None) -> None:
    """Print the path of a version's file KIND, verified; show lists the kinds. Do not change the file."""
    store = _open(registry)
    click.echo(store.path(store.resolve(reference), kind))


@command.command()
@click.argument("reference", metavar="NAME:N")
@registry_option
def rm(reference: str, registry: Path | None) -> None:
    """Remove one version, named by its number, which is never used again."""
    store = _open(registry)
    version = store.resolve(reference)
    if reference != str(version):  # the newest today is another one tomorrow
        raise UsageError("rm wants one exact version", hint=f"ganzoo registry rm {version}")
    store.remove(version)
    note(f"Removed {version}.")


def _newest(store: "Registry") -> tuple[list[dict[str, Any]], int]:
    """The newest version of each model, and the exit code: a damaged one is reported, and hides no other."""
    from ganzoo.cli.failures import report
    from ganzoo_registry import Corrupt

    versions, code = [], int(ExitCode.OK)
    for name in store.names():
        try:
            versions.append(_summary(store, store.resolve(name)))
        except Corrupt as error:
            code = report(error)
    return versions, code


def _summary(store: "Registry", version: "Version") -> dict[str, Any]:
    return {
        "version": str(version),
        "name": version.name,
        "number": version.number,
        "digest": version.digest,
        "created": version.created,
        "aliases": sorted(alias for alias, number in store.aliases(version.name).items() if number == version.number),
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
    """To the second, in UTC, as it is stored."""
    return timestamp[:19].replace("T", " ") + " UTC"
