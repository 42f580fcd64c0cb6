"""``ganzoo export``: a registered version as an ONNX file that passed its gates."""

from pathlib import Path
from typing import Any

import click

from ganzoo.cli import completion
from ganzoo.cli.output import PathOption, emit, json_option, note, registry_option
from ganzoo.progress.bars import doing


@click.command()
@click.argument("reference", shell_complete=completion.references)
@click.option(
    "-o",
    "--output",
    type=PathOption(),
    metavar="FILE",
    help="Also write the ONNX file here.",
)
@click.option(
    "--opset", type=click.IntRange(min=1), metavar="N", help="ONNX opset of the file. [default: the tested one]"
)
@click.option("--force", is_flag=True, help="Export anew and replace what is attached to the version.")
@registry_option
@json_option
def command(
    reference: str, output: Path | None, opset: int | None, force: bool, registry: Path | None, as_json: bool
) -> None:
    """Export a registered version to ONNX, attach the file to the version, and write it to -o FILE.

    The file exists only if it passed its gates: the graph is well-formed, and it makes the same images as PyTorch.
    """
    from ganzoo.api import export

    with doing("exporting"):
        result = export(reference, output=output, opset=opset, registry=registry, force=force)
    for gate, finding in result.report.items():
        note(f"{gate}: {finding}")
    exported: dict[str, Any] = {
        "version": str(result.version),
        "path": None if result.path is None else str(result.path),
        "report": dict(result.report),
    }
    emit(exported, as_json, lambda exported: str(exported["path"] or exported["version"]))
