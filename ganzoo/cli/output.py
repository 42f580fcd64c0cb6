"""The one sink: data goes to stdout, everything else to stderr."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

Value = TypeVar("Value")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
registry_option = click.option(
    "--registry",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The registry. [default: $GANZOO_REGISTRY, else in the user's data directory]",
)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to run.",
)


def emit(value: Value, as_json: bool, render: Callable[[Value], str]) -> None:
    """Print data: as JSON, or as ``render`` puts the same data for a person."""
    click.echo(json.dumps(value, indent=2, default=str) if as_json else render(value))


def note(message: str) -> None:
    """Tell the person something that is not data."""
    click.echo(message, err=True)


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Aligned columns under a header; just the header where there are no rows."""
    lines = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested mappings as rows of (dotted key, value)."""
    rows: list[tuple[str, Any]] = []
    for key, value in tree.items():
        nested = isinstance(value, Mapping) and value
        rows += flatten(value, f"{prefix}{key}.") if nested else [(f"{prefix}{key}", value)]
    return rows
