"""``ganzoo export``: a registered version as an ONNX file that passed its gates."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.cli import completion
from ganzoo.cli.output import PathOption, emit, json_option, note, registry_option
from ganzoo.errors import PluginError, UsageError
from ganzoo.progress.bars import ProgressBar, doing

if TYPE_CHECKING:
    from ganzoo.exporting.versions import ExportResult


@click.command()
@click.argument("reference", required=False, shell_complete=completion.references)
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
@click.option(
    "--int8",
    is_flag=True,
    help="Make the file in int8, too: up to three times as fast on a CPU, with images that hardly differ.",
)
@click.option("--uint8", is_flag=True, help="Let the file at -o make pixels, uint8 [batch, height, width, channels].")
@click.option("--web", type=PathOption(), metavar="DIR", help="Also write a folder that samples in any browser.")
@click.option(
    "--ort-web", type=PathOption(), metavar="DIR|TGZ", help="onnxruntime-web from npm, for --web. [default: found here]"
)
@click.option("--triton", type=PathOption(), metavar="DIR", help="Also add it to a model repository of Triton.")
@click.option("--force", is_flag=True, help="Export anew and replace what is attached to the version.")
@click.option("--check", is_flag=True, help="Export anew through every gate, and keep nothing of it.")
@click.option("--all", "every", is_flag=True, help="With --check: try every installed architecture, untrained.")
@registry_option
@json_option
def command(
    reference: str | None,
    output: Path | None,
    opset: int | None,
    int8: bool,
    uint8: bool,
    web: Path | None,
    ort_web: Path | None,
    triton: Path | None,
    force: bool,
    check: bool,
    every: bool,
    registry: Path | None,
    as_json: bool,
) -> None:
    """Export a registered version to ONNX, attach the file to the version, and write it to -o FILE.

    The file exists only if it passed its gates: the graph is well-formed, and it makes the same images as PyTorch.
    """
    written = {"-o": output, "--web": web, "--triton": triton}
    changed = {"--int8": int8, "--uint8": uint8, "--opset": opset, "--force": force, "--ort-web": ort_web}
    writes, changes = ([name for name, value in each.items() if value] for each in (written, changed))
    _check_together(reference, writes, changes, check=check, every=every)
    if every:
        _check_all(as_json)
        return
    from ganzoo.api import export, export_triton, export_web
    from ganzoo.exporting.web import find_runtime
    from ganzoo.files import check_absent, registry_root
    from ganzoo_registry import Registry

    if web:  # refused before the work
        check_absent(web, "--web")
        ort_web = ort_web or find_runtime()
    if triton:
        check_absent(triton / Registry(registry_root(registry)).resolve(str(reference)).name, "--triton")
    folders: dict[str, str] = {}
    with doing("exporting"):
        kind: dict[str, Any] = {"opset": opset, "int8": int8, "uint8": uint8}
        result = export(str(reference), output=output, registry=registry, force=force, check=check, **kind)
        if web:
            folders["web"] = str(export_web(str(result.version), web, ort_web=ort_web, registry=registry))
        if triton:
            folders["triton"] = str(export_triton(str(result.version), triton, registry=registry))
    _tell(result, folders, as_json)


def _check_together(
    reference: str | None, written: Collection[str], changed: Collection[str], *, check: bool, every: bool
) -> None:
    """Refuse what does not go together.

    Args:
        written: the options that write something.
        changed: those that change what is made.
    """
    if every and (reference is not None or written or not check):
        raise UsageError("--all tries what is installed, and takes no version", hint="ganzoo export --all --check")
    if every and changed:
        raise UsageError(f"--all tries the file in fp32, and takes no {next(iter(changed))}", hint="leave it out")
    if reference is None and not every:
        raise UsageError("missing argument 'REFERENCE'", hint="see: ganzoo export --help")
    if check and written:
        raise UsageError(f"--check keeps nothing, and {next(iter(written))} writes", hint="leave one of them out")
    if "--ort-web" in changed and "--web" not in written:
        raise UsageError("--ort-web is for --web alone", hint="add --web DIR, or leave it out")
    if "--triton" in written and "--int8" in changed:
        raise UsageError("--triton takes the file in fp32, and --int8 makes another", hint="give one of the two")
    for folder in ("--web", "--triton"):  # which take what is attached
        if folder in written and "--opset" in changed and "--force" not in changed:
            raise UsageError(
                f"{folder} takes the file that is attached, and --opset alone does not change that", hint="add --force"
            )


def _tell(result: "ExportResult", folders: dict[str, str], as_json: bool) -> None:
    for gate, finding in result.report.items():
        note(f"{gate}: {finding}")
    path = None if result.path is None else str(result.path)
    exported = {
        "version": str(result.version),
        "path": path,
        "report": dict(result.report),
        "record": dict(result.record),
        **folders,
    }
    shown = list(filter(None, [path, *folders.values()])) or [str(result.version)]
    emit(exported, as_json, lambda _: "\n".join(shown))


def _check_all(as_json: bool) -> None:
    from ganzoo.cli.tables import table
    from ganzoo.exporting.checking import check_all

    with ProgressBar("exporting", "architectures") as bar:
        found = check_all(bar)
    rows = {name: fault or "passed" for name, fault in found.items()}
    emit(rows, as_json, lambda rows: table(["ARCHITECTURE", "EXPORT"], list(rows.items())))
    if failed := [name for name, fault in found.items() if fault]:
        raise PluginError(
            f"{len(failed)} of {len(found)} architectures cannot be exported", hint=f"ganzoo plugins check {failed[0]}"
        )
