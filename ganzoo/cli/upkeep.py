"""``ganzoo registry``: room, tags, notes, and how versions differ."""

from pathlib import Path

import click

from ganzoo.cli import completion, versions
from ganzoo.cli.failures import Failures
from ganzoo.cli.output import age, amount, emit, grace, json_option, note, opened, print_data, registry_option, there
from ganzoo.cli.tables import table
from ganzoo.errors import UsageError


@click.command()
@click.option("--delete", is_flag=True, help="Remove it, instead of saying what would go.")
@click.option(
    "--grace",
    type=grace,
    default="1d",
    show_default=True,
    metavar="TIME",
    help="Keep what was stored within this time: 0s, 12h, 7d.",
)
@registry_option
@json_option
def gc(delete: bool, grace: float, registry: Path | None, as_json: bool) -> None:
    """Find the content that no version holds any more, and free its room.

    It is left by removed versions and replaced attachments. What a version holds stays, as does what an alias stands
    on; nothing goes while a record is damaged.
    """
    from ganzoo_registry.garbage import GRACE_SECONDS

    store = opened(registry)
    found = store.collect(grace=grace) if delete else store.unused(grace=grace)
    size = sum(blob.size for blob in found)
    emit(
        {"deleted": delete, "files": [{"digest": blob.digest, "size": blob.size} for blob in found], "bytes": size},
        as_json,
        lambda _: f"{'Removed' if delete else 'Unused:'} {len(found):,} files, {amount(size)}.",
    )
    if found and not delete:
        asked = "" if grace == GRACE_SECONDS else f" --grace {grace:g}s"
        note("Next:\n  " + there(f"ganzoo registry gc --delete{asked}"))
    if not found and (young := len(store.unused(grace=0))):
        note(f"{young:,} more were stored within {age(grace)}; --grace 0s takes them, too.")


@click.command()
@click.argument("name", required=False, shell_complete=completion.names)
@registry_option
@json_option
def du(name: str | None, registry: Path | None, as_json: bool) -> int:
    """Say what room the models take, or the versions of model NAME.

    OWN is what nothing else holds, and gc frees after rm.
    """
    from ganzoo.records.catalogue import rooms

    store, failures = opened(registry), Failures()
    found = rooms(store, name, failures)
    emit(
        [{"what": room.what, "bytes": room.size, "own": room.own} for room in found],
        as_json,
        lambda _: table(
            ("VERSION" if name else "MODEL", "BYTES", "OWN"),
            [(room.what, amount(room.size), amount(room.own)) for room in found],
        ),
    )
    return failures.code


@click.command()
@click.argument("reference", shell_complete=completion.references)
@click.argument("tags", nargs=-1, required=True, metavar="TAG…")
@click.option("--delete", is_flag=True, help="Take the tags away.")
@registry_option
def tag(reference: str, tags: tuple[str, ...], delete: bool, registry: Path | None) -> None:
    """Give a version tags, which many versions may share: ganzoo registry tag wgan-gp:3 good."""
    from ganzoo.records import remarks

    store = opened(registry)
    version = store.resolve(reference)
    for each in tags:
        remarks.tag(store, version, each, on=not delete)
    given = remarks.tags(store.kinds(version))
    note(f"{version} has the tags {', '.join(given)}." if given else f"{version} has no tags.")


@click.command(name="note")
@click.argument("reference", shell_complete=completion.references)
@click.argument("text", required=False)
@click.option("--delete", is_flag=True, help="Take the note away.")
@registry_option
def note_(reference: str, text: str | None, delete: bool, registry: Path | None) -> None:
    """Write a note on a version, over the one that it has; without TEXT, print it."""
    from ganzoo.records import remarks

    store = opened(registry)
    version = store.resolve(reference)
    if delete or text is not None:
        if delete and text is not None:
            raise UsageError("--delete takes the note away, and TEXT writes one", hint="give one of them")
        remarks.write_note(store, version, text or "")
        note(f"{version} has {'a' if text else 'no'} note now.")
        return
    print_data(remarks.note(store, version, store.kinds(version)))


@click.command()
@click.argument("first", metavar="REFERENCE", shell_complete=completion.references)
@click.argument("second", metavar="REFERENCE", shell_complete=completion.references)
@registry_option
@json_option
def diff(first: str, second: str, registry: Path | None, as_json: bool) -> None:
    """Say in what two versions differ: configuration, data, plugins, machine, and figures of one protocol."""
    from ganzoo.records.catalogue import differences

    store = opened(registry)
    one, other = store.resolve(first), store.resolve(second)
    rows = differences(store, one, other)
    emit(
        [{"what": what, "first": left, "second": right} for what, left, right in rows],
        as_json,
        lambda _: versions.compared((str(one), str(other)), rows),
    )
    if not rows:
        note(f"{one} and {other} do not differ in their records.")


COMMANDS = (gc, du, tag, note_, diff)
