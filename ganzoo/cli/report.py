"""``ganzoo report``: a page about a run or a version, or about several side by side."""

from pathlib import Path

import click

from ganzoo.cli import completion
from ganzoo.cli.output import PathOption, print_data, registry_option, runs_option, say


@click.command()
@click.argument("references", nargs=-1, required=True, metavar="RUN|REFERENCE…", shell_complete=completion.references)
@click.option(
    "-o",
    "--output",
    type=PathOption(),
    metavar="FILE",
    help="The page's file. [default: report.html, for one run in its directory, else here]",
)
@runs_option
@registry_option
def command(references: tuple[str, ...], output: Path | None, runs: Path, registry: Path | None) -> None:
    """Show runs and versions on one HTML page: curves, samples, figures, configuration.

    RUN is a run's directory, NAME/N, or last. Several are compared.
    """
    from ganzoo import api

    print_data(
        api.report(
            references,
            output=output,
            runs=runs,
            registry=registry,
            noted=lambda message: say(f"Warning: {message}"),
        )
    )
