"""The command line: a thin skin over ``ganzoo.api``. A command's module is imported when the command is called."""

import os
import sys
from collections.abc import Sequence

import click

from ganzoo.cli.groups import LazyGroup
from ganzoo.cli.leaving import end_in_time
from ganzoo.cli.stage import COMPLETION, data_stream, staged
from ganzoo.cli.streams import telling
from ganzoo.version import __version__

COMMANDS = {
    "train": ("ganzoo.cli.train:command", "Train a model, register the result, and export it."),
    "models": ("ganzoo.cli.models:command", "List the models, or show one."),
    "plugins": (
        "ganzoo.cli.plugins:command",
        "List the installed plugins, the unusable ones with the reason; check, begin and search for one.",
    ),
    "install": ("ganzoo.cli.install:install", "Install plugins in the environment that ganzoo is in."),
    "uninstall": ("ganzoo.cli.install:uninstall", "Take plugins away again."),
    "runs": ("ganzoo.cli.runs:command", "List the runs of trainings, look at one, and remove them."),
    "registry": ("ganzoo.cli.registry:command", "Look into the registry of trained versions, and name them."),
    "export": ("ganzoo.cli.export:command", "Export a registered version to ONNX."),
    "eval": ("ganzoo.cli.eval:command", "Evaluate versions by real images: distance, variety, copies."),
    "report": ("ganzoo.cli.report:command", "Show runs and versions on one page: curves, samples, configuration."),
    "data": ("ganzoo.cli.data:command", "List data sets, look at images, and pack them into one file."),
    "sample": ("ganzoo.cli.sample:command", "Draw images from a registered version or an ONNX file."),
    "project": ("ganzoo.cli.exploring:project", "Find the latent whose image is nearest to a picture."),
    "directions": ("ganzoo.cli.exploring:directions", "Show directions of latents in which images change most."),
    "serve": ("ganzoo.cli.serve:command", "Serve images over HTTP."),
    "doctor": ("ganzoo.cli.doctor:command", "Show what works on this machine, and what does not."),
}


WIDEST = 120
"""Columns that help is written in at most, if the terminal has as many."""


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
    epilog="Exit codes: 0 ok, 1 failure, 2 usage, 3 not found or ambiguous, 4 integrity, 5 plugin unusable, "
    "6 package missing, 75 training stopped with a checkpoint, 130 interrupted. "
    "GANZOO_DEBUG=1 shows tracebacks.",
)
@click.version_option(__version__, message="ganzoo %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Train GANs, version them, export them to ONNX, and serve them without PyTorch."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), file=data_stream())
    else:
        _forget()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. An error is one line and a hint on stderr.

    Args:
        arguments: None: the process's own, and the process ends next.
    """
    # What others' metadata say of back ends for devices that we do not use, and whether it can be read, is not needed.
    os.environ.setdefault("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")
    given = sys.argv[1:] if arguments is None else list(arguments)
    if COMPLETION in os.environ:
        from ganzoo.cli import bash  # only where a shell asks

        bash.register()
    with telling() as out:
        with staged(given, out, _say, for_good=arguments is None):
            code = _run(given)
        out.flush()
        if code == 0 and out.failure is not None and not out.left:
            code = _tell(out.failure)
    if arguments is None:
        end_in_time(code, _say)
    return code


def _run(arguments: list[str]) -> int:
    try:
        returned = cli.main(arguments, prog_name="ganzoo", standalone_mode=False)
    except Exception as error:
        return _tell(error, next((word for word in arguments if not word.startswith("-")), ""))
    return returned if isinstance(returned, int) else 0


def _tell(error: Exception, command: str = "") -> int:
    from ganzoo.cli.failures import tell  # only when something is wrong already

    return tell(error, command)


def _forget() -> None:
    from ganzoo.cli.output import forget  # which every command imports

    forget()


def _say(line: str) -> None:
    from ganzoo.cli.output import say  # only where there is something to tell

    say(line)
