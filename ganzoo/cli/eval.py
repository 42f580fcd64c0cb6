"""``ganzoo eval``: figures of quality, and what they were measured against."""

import errno
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.cli import completion
from ganzoo.cli.output import PathOption, device_option, emit, json_option, note, registry_option, runs_option
from ganzoo.cli.tables import table
from ganzoo.errors import UsageError
from ganzoo.files import cannot_write
from ganzoo.records.evaluation import HELD_OUT, MOST_SEEDS, TRAINING
from ganzoo.runtime.file import file_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ganzoo.records.evaluation import Evaluation
    from ganzoo.runtime.providers import Device

_FORMS = (".md", ".json", ".png", ".svg")


@click.command()
@click.argument(
    "references", nargs=-1, required=True, metavar="REFERENCE|FILE.onnx…", shell_complete=completion.references
)
@click.option("--compare", is_flag=True, help="Show several references side by side, in one table and a plot.")
@click.option("--data", metavar="SOURCE", help="Real images to evaluate by. [default: the set that it was trained on]")
@click.option(
    "--features", default="", metavar="NAME|FILE.onnx", help="Extractor of features. [default: the data set's, or own]"
)
@click.option("-n", "n", type=click.IntRange(min=2), help="Samples per seed. [default: as many as training images]")
@click.option(
    "--seeds", type=click.IntRange(1, MOST_SEEDS), default=5, show_default=True, help="Number of sample seeds, from 0."
)
@click.option(
    "--against",
    type=click.Choice([HELD_OUT, TRAINING]),
    default=HELD_OUT,
    show_default=True,
    help="Which real images to evaluate by.",
)
@click.option("--force", is_flag=True, help="Compute again, and replace what is attached to the version.")
@click.option("-o", "--output", type=PathOption(), metavar="OUT", help=f"Also write OUT ({', '.join(_FORMS)}).")
@runs_option
@device_option
@registry_option
@json_option
def command(
    references: tuple[str, ...],
    compare: bool,
    output: Path | None,
    device: "Device",
    registry: Path | None,
    as_json: bool,
    **question: Any,
) -> None:
    """Evaluate versions by real images: how near, how varied, how much is merely copied.

    The figures are attached to the version, and ganzoo registry ls --sort fd uses them.
    """
    if len(references) > 1 and not compare:
        raise UsageError("several references are compared", hint=f"ganzoo eval --compare {shlex.join(references)}")
    if compare and len(set(references)) < 2:
        raise UsageError("--compare takes two or more references", hint="ganzoo eval --compare A B")
    if output and output.suffix.lower() not in _FORMS:
        raise UsageError(f"cannot write figures to {output}", hint=f"OUT ends in {', '.join(_FORMS)}")
    if output and not os.path.isdir(output.parent):
        raise cannot_write(output, FileNotFoundError(errno.ENOENT, ""))
    from ganzoo import api

    found = api.evaluate(list(references), registry=registry, device=device, noted=note, **question)
    better = api.figures()
    data: Any = {name: {"name": name, **evaluation.to_dict()} for name, evaluation in found.items()}
    emit(data if compare else next(iter(data.values())), as_json, lambda _: _page(found, better, compare))
    if output:
        _write(output, found, better)
        note(f"Wrote {output}.")
    if not compare and not file_of(references[0]):
        _name_the_best(found, registry)


def _page(found: "Mapping[str, Evaluation]", better: "Mapping[str, str]", compare: bool) -> str:
    from ganzoo.evaluation import tables

    header, rows = tables.rows(found, better)
    parts = [table(header, rows, dispensable=header[-1:])]
    if compare:
        parts.append(tables.plot(found, better))
    return "\n\n".join([*parts, "\n".join(tables.remarks(found))])


def _name_the_best(found: "Mapping[str, Evaluation]", registry: Path | None) -> None:
    """Say which version is the best, if it is another one: the last is not always the best."""
    from ganzoo import api

    ((evaluated, evaluation),) = found.items()
    best = api.best_version(evaluated, evaluation.protocol.key, registry=registry)
    if best and best[0] != evaluated:
        note(f"Best by this protocol so far: {best[0]} ({best[1]}).")


def _write(output: Path, found: "Mapping[str, Evaluation]", better: "Mapping[str, str]") -> None:
    import json

    from ganzoo.evaluation import tables
    from ganzoo.files import write_atomic

    form = output.suffix.lower()[1:]
    if form == "json":
        content = json.dumps({name: each.to_dict() for name, each in found.items()}, indent=2) + "\n"
        write_atomic(output, content.encode())
    elif form == "md":
        write_atomic(output, tables.markdown(found, better).encode())
    else:
        write_atomic(output, tables.picture(found, better, form))
