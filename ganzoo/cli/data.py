"""``ganzoo data``: lists data sets, shows what is in one, and packs images into one file."""

import shlex
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ganzoo.cli.groups import Group
from ganzoo.cli.output import NumberRange, PathOption, emit, json_option, note, say
from ganzoo.cli.tables import listing, table
from ganzoo.config import HELD_OUT_SHARE
from ganzoo.progress.bars import ProgressBar
from ganzoo.specs import Dataset, Reader
from ganzoo.zoo.names import zoo

SHEET = 64
"""Images on a contact sheet."""

CLASSES_SHOWN = 20
SKIPPED_SHOWN = 10

size_option = click.option(
    "--size",
    type=click.IntRange(min=1),
    metavar="PIXELS",
    help="Height and width of the images. [default: their own; 64 for files]",
)


held_out_option = click.option(
    "--held-out",
    type=NumberRange(0, 0.9),
    default=HELD_OUT_SHARE,
    show_default=True,
    metavar="SHARE",
    help="Share of the images to hold out for evaluation; a set that says itself what is held out is left as it is.",
)
strict_option = click.option("--strict", is_flag=True, help="Refuse unreadable images, instead of skipping them.")


@click.group(cls=Group, no_args_is_help=False)
def command() -> None:
    """List data sets, look at images, and pack them into one file."""


@command.command()
@json_option
def ls(as_json: bool) -> None:
    """List the data sets that have a name, and the formats that are read."""
    found = zoo()
    sets = [{"name": found.shortest(each), "summary": each.summary} for each in found.all(Dataset)]
    readers = [
        {
            "name": found.shortest(each),
            "files": list(each.files),
            "folders": list(each.folders),
            "summary": each.summary,
        }
        for each in found.all(Reader)
    ]
    emit({"datasets": sets, "readers": readers}, as_json, _listing)


@command.command()
@click.argument("source")
@size_option
@held_out_option
@strict_option
@click.option(
    "-o",
    "--output",
    type=PathOption(),
    metavar="FILE.png",
    help=f"Draw a contact sheet of {SHEET} training images.",
)
@json_option
def show(source: str, size: int | None, held_out: float, strict: bool, output: Path | None, as_json: bool) -> None:
    """Say what is in SOURCE, a data set's name or a path."""
    from ganzoo.data import load
    from ganzoo.data.load import require_text
    from ganzoo.data.statistics import facts, spread
    from ganzoo.files import write_atomic
    from ganzoo.images import encode_png, grid

    if output:
        require_text(output, "-o")
        _check_sheet(output, source)
    with ProgressBar("reading", "images") as progress:
        data = load(source, zoo(), size=size, strict=strict, held_out=held_out, progress=progress)
    found = {"source": source, **facts(data)}
    emit({**found, "contact_sheet": str(output)} if output else found, as_json, _page)
    if output:
        write_atomic(output, encode_png(grid(spread(data.training, SHEET))))
    _tell(data.training.skipped, [*found["notes"], *filter(None, [found["warning"]])])


@command.command()
@click.argument("source", metavar="PATH")
@click.argument("file", type=PathOption(), metavar="FILE.npy")
@size_option
@held_out_option
@strict_option
@json_option
def pack(source: str, file: Path, size: int | None, held_out: float, strict: bool, as_json: bool) -> None:
    """Decode and resize the images at PATH once, into one file that training maps into memory."""
    from ganzoo.data.load import read, require_text
    from ganzoo.data.packing import pack as pack_images

    path = _unpacked(source)
    require_text(file, "FILE.npy")
    with _interrupted_by_sigterm(), ProgressBar("packing", "images") as progress:
        packed = pack_images(
            read(path, zoo()),
            file,
            size=size,
            held_out=held_out,
            strict=strict,
            name=path.name,
            progress=progress,
        )
    facts = {
        "file": str(packed.path),
        "count": packed.count,
        "held_out": packed.held_out,
        "channels": packed.shape.channels,
        "size": packed.shape.height,
        "classes": packed.shape.classes,
        "digest": packed.digest,
        "skipped": len(packed.skipped),
        "notes": list(packed.notes),
    }
    emit(facts, as_json, _pack_page)
    _tell(packed.skipped, packed.notes)
    note(f"Next:\n  ganzoo train --model dcgan --data {shlex.quote(str(file))}")


def _tell(skipped: Sequence[str], notes: Sequence[str]) -> None:
    """What a person should know of a set beside its numbers."""
    for line in notes:
        say(f"Warning: {line}")
    for line in skipped[:SKIPPED_SHOWN]:
        say(f"Skipped {line}")


def _unpacked(source: str) -> Path:
    """``source`` as a path, if it can be packed."""
    from ganzoo.data.load import named
    from ganzoo.data.packed import is_packed
    from ganzoo.errors import UsageError

    path = Path(source).expanduser()
    if named(source, zoo()):
        hint = f"ganzoo train --model dcgan --data {source}; or, if a path is meant, ./{source}"
        raise UsageError(f"{source} is a data set's name, and needs no packing", hint=hint)
    if is_packed(path):
        beside = path.with_suffix(".json").name
        raise UsageError(
            f"{source}: packed already; its labels and what is held out would be lost",
            hint=f"pack what it was made of; or, if it never was a packed set, move {beside} away",
        )
    return path


def _check_sheet(output: Path, source: str) -> None:
    from ganzoo.data.load import named
    from ganzoo.errors import UsageError

    if output.suffix.lower() != ".png":
        raise UsageError(f"{output}: a contact sheet is called FILE.png", hint=f"try {output.with_suffix('.png')}")
    root = Path(source).expanduser()
    if not named(source, zoo()) and root.is_dir() and output.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"{output}: lies inside {source}, and would be one of its images",
            hint="choose a place outside the data set",
        )


def _listing(found: dict[str, Any]) -> str:
    sets = [(each["name"], each["summary"]) for each in found["datasets"]]
    readers = [
        (
            each["name"],
            ", ".join([*each["files"], *(f"a folder with {pattern}" for pattern in each["folders"])]),
            each["summary"],
        )
        for each in found["readers"]
    ]
    return "\n\n".join([table(("DATA SET", "SUMMARY"), sets), table(("FORMAT", "TAKES", "SUMMARY"), readers)])


def _page(facts: dict[str, Any]) -> str:
    classes, groups = list(facts["classes"].items()), facts["groups"]
    shown = ", ".join(f"{name} ({count:,})" for name, count in classes[:CLASSES_SHOWN])
    more = f", and {len(classes) - CLASSES_SHOWN:,} more" if len(classes) > CLASSES_SHOWN else ""
    rows = [
        ("images", f"{facts['count']:,} to train on, {facts['held_out']:,} held out"),
        *([("groups", f"{groups:,} to train on, {facts['held_out_groups']:,} held out")] if groups else []),
        ("size", f"{facts['height']}x{facts['width']}, {'grey' if facts['channels'] == 1 else 'colour'}"),
        ("classes", f"{len(classes):,}: {shown}{more}" if classes else "none"),
        ("mean", ", ".join(f"{value:.1f}" for value in facts["mean"])),
        ("deviation", ", ".join(f"{value:.1f}" for value in facts["standard_deviation"])),
        ("digest", facts["digest"]),
        ("unreadable", f"{facts['skipped']:,}"),
        *([("contact sheet", facts["contact_sheet"])] if "contact_sheet" in facts else []),
    ]
    return listing(rows)


def _pack_page(facts: dict[str, Any]) -> str:
    rows = [(key, value) for key, value in facts.items() if key != "notes"]  # they are told as warnings
    return listing(rows)


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM act as Ctrl-C does, so that no partial file stays; only a process's main thread may set that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
