"""``ganzoo train``: from a model's name to a registered, exported version."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganzoo.cli import completion
from ganzoo.cli.groups import Sections
from ganzoo.cli.output import (
    NumberRange,
    PathOption,
    duration,
    emit,
    json_option,
    note,
    print_data,
    registry_option,
    runs_option,
    there,
)
from ganzoo.cli.settings import parse_settings, read_file
from ganzoo.cli.tables import table
from ganzoo.config import RunConfig, choices, layered
from ganzoo.errors import UsageError
from ganzoo.machine import alone

if TYPE_CHECKING:
    from ganzoo.pipeline.plan import Plan
    from ganzoo.records.result import TrainResult

SHORTHANDS = (
    "data",
    "size",
    "steps",
    "kimg",
    "max_time",
    "patience",
    "batch",
    "accumulate",
    "seed",
    "name",
    "device",
    "precision",
    "executor",
    "schedule",
    "flip",
    "augment",
    "eval_every",
    "best",
    "on_collapse",
    "observers",
)
"""Options that stand for ``--set KEY=VALUE``, because people change these keys all the time."""


SECTIONS = {
    "What": ("model", "init-from", "resume", "config", "set"),
    "Data": ("data", "size", "flip", "augment", "strict"),
    "Length": ("steps", "kimg", "max-time", "patience"),
    "Step": ("batch", "accumulate", "schedule", "seed"),
    "Precision and speed": ("device", "precision", "executor"),
    "Evaluation": ("eval-every", "best", "on-collapse"),
    "Output": ("name", "runs", "registry", "no-export", "observer", "json", "verbose", "quiet"),
    "Instead of training": ("print-config", "dry-run", "help"),
}


def choice(key: str) -> click.Choice[str]:
    """The words that a key of the configuration takes, as an option's type."""
    return click.Choice(choices(RunConfig, key))


@click.command(cls=Sections, sections=SECTIONS)
@click.option(
    "--model", metavar="NAME", shell_complete=completion.models, help="Model to train; ganzoo models lists them."
)
@click.option(
    "--data",
    metavar="SOURCE",
    help="A data set's name, or a path; ganzoo data ls lists both. [default: digits]",
)
@click.option(
    "--size",
    type=click.IntRange(min=1),
    metavar="PIXELS",
    help="Image height and width. [default: the data's own; 64 for a folder]",
)
@click.option("--steps", type=click.IntRange(min=1), help="Number of generator updates. [default: the model's]")
@click.option(
    "--kimg",
    type=NumberRange(min=0, min_open=True),
    help="Length in thousands of real images, instead of --steps.",
)
@click.option("--max-time", type=duration, metavar="TIME", help="End after this time at the latest: 90s, 30m, 8h.")
@click.option("--patience", type=click.IntRange(min=1), help="End after this many evaluations without a better one.")
@click.option("--batch", type=click.IntRange(min=2), help="Real images per critic update. [default: the model's]")
@click.option("--accumulate", type=click.IntRange(min=1), help="Compute each batch in this many parts. [default: 1]")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of initial weights and all random numbers. [default: 0]")
@click.option("--name", metavar="NAME", help="Name of the run and of the registered model. [default: the model's]")
@click.option("--device", metavar="DEVICE", help="Device to train on: auto, cpu, cuda or cuda:N. [default: auto]")
@click.option("--precision", type=choice("precision"), help="Number format of the networks. [default: auto]")
@click.option("--executor", type=choice("executor"), help="How steps are run. [default: auto]")
@click.option("--schedule", type=choice("schedule"), help="How the learning rates fall. [default: constant]")
@click.option("--flip", is_flag=True, default=None, help="Mirror real images at random.")
@click.option(
    "--augment", metavar="NAME", help="Change real and generated images alike: diffaugment, for small data sets."
)
@click.option(
    "--eval-every",
    type=click.IntRange(min=1),
    metavar="STEPS",
    help="Evaluate after every STEPS steps, and keep the best weights.",
)
@click.option(
    "--best",
    metavar="FIGURE",
    help="Figure that decides which weights are best: fd, recall … [default: fd, else modes,good]",
)
@click.option("--on-collapse", type=choice("on_collapse"), help="What to do if images become alike. [default: warn]")
@click.option(
    "--observer",
    "observers",
    metavar="NAME",
    multiple=True,
    default=None,
    help="Observer that watches the run: tensorboard, or a plugin's.",
)
@click.option("--config", "config_file", type=PathOption(), metavar="FILE", help="Configuration file in TOML.")
@click.option(
    "--set", "pairs", multiple=True, metavar="KEY=VALUE", help="Set any key of the configuration, over --config."
)
@click.option(
    "--resume",
    metavar="RUN",
    shell_complete=completion.runs,
    help="Go on with a run: its directory, NAME/N, NAME or last.",
)
@click.option(
    "--init-from",
    metavar="NAME[:N]",
    shell_complete=completion.references,
    help="Start from a registered version's weights.",
)
@click.option("--no-export", is_flag=True, help="Register, but leave out the ONNX file.")
@click.option("--strict", is_flag=True, help="Refuse a data folder with unreadable images.")
@runs_option
@click.option("--print-config", is_flag=True, help="Print the resolved configuration as TOML, and stop.")
@click.option("--dry-run", is_flag=True, help="Load and build everything, say what would happen, and stop.")
@click.option("-v", "--verbose", is_flag=True, help="Say what is done, with times, and write every report as a line.")
@registry_option
@json_option
def command(
    model: str | None,
    config_file: Path | None,
    pairs: tuple[str, ...],
    resume: str | None,
    init_from: str | None,
    no_export: bool,
    strict: bool,
    runs: Path,
    print_config: bool,
    dry_run: bool,
    verbose: bool,
    registry: Path | None,
    as_json: bool,
    **shorthands: Any,
) -> None:
    """Train a model, register the result, and export it to ONNX.

    Configuration: the model's defaults < --config FILE < --set KEY=VALUE and the options below.
    Ctrl-C finishes the step, saves, and says how to go on.
    """
    given = {key: shorthands[key] for key in SHORTHANDS if shorthands[key] not in (None, ())}
    settings = layered(read_file(config_file) if config_file else {}, parse_settings(list(pairs)), given)
    for key, value in (("model", model), ("init_from", init_from)):
        if value is not None:  # an option counts more than a file, and a call takes none twice
            settings.pop(key, None)
    if resume is not None and (print_config or dry_run):
        raise UsageError("--resume goes on at once", hint="what it goes on with is in the run's config.toml")
    if print_config and dry_run:
        raise UsageError("--print-config builds nothing, and --dry-run everything", hint="give one of the two")
    if as_json and (print_config or dry_run):
        raise UsageError("--json is of a training, and none takes place", hint="leave it out")

    from ganzoo import api  # only now, because --help needs none of it
    from ganzoo.progress.training import Progress

    if print_config or dry_run:
        if _speaks():
            plan = api.plan(model, settings=settings, init_from=init_from, registry=registry, strict=strict)
            _show_plan(plan, print_config)
        return
    with Progress(verbose=verbose) as progress:
        result = api.train(
            model,
            settings=settings,
            resume=resume,
            init_from=init_from,
            registry=registry,
            runs=runs,
            export=not no_export,
            strict=strict,
            observer=progress,
        )
    if _speaks():
        _show_result(result, as_json)


def _speaks() -> bool:
    """Whether this process is the one of several ranks that prints."""
    if alone():
        return True
    from ganzoo.training.ranks import is_chief

    return is_chief()


def _show_plan(plan: "Plan", print_config: bool) -> None:
    config = plan.recipe.config
    if print_config:
        print_data(config.to_toml(), end="")
        return
    for name, module in plan.trainer.modules().items():
        if name != "generator-ema":
            print_data(f"{name}: {sum(parameter.numel() for parameter in module.parameters()):,} parameters")
    training, held_out = plan.data.training, plan.data.held_out
    print_data(
        f"data: {len(training):,} images, {config.size}x{config.size}, {training.digest[:19]}"
        f"; {len(held_out) if held_out else 0:,} held out"
    )
    print_data(f"would train {config.steps:,} steps of {config.model} on {config.device} in {config.precision}")


def _show_result(result: "TrainResult", as_json: bool) -> None:
    report = result.run / "report.html"
    data = {
        "version": str(result.version),
        "run": str(result.run),
        "samples": str(result.grid),
        "report": str(report) if report.exists() else None,
        "onnx": str(result.onnx) if result.onnx else None,
        "gates": dict(result.gates),
        "metrics": dict(result.metrics),
        "best": str(result.best) if result.best else None,
        "evaluations": {name: evaluation.to_dict() for name, evaluation in result.evaluations.items()},
    }
    emit(data, as_json, lambda data: _result_lines(data, result))
    for gate, finding in result.gates.items():
        note(f"gate passed: {gate} ({finding})")
    name = result.version.name
    follow = [f"registry show {result.version}"]
    of_all = "--label all" if result.class_names else "-n 64"
    follow += [f"sample {name} {of_all} --seed 7 -o grid.png", f"serve {name}"] if result.onnx else [f"export {name}"]
    note("Next:\n" + "\n".join("  " + there(f"ganzoo {command}") for command in follow))


def _result_lines(data: dict[str, Any], result: "TrainResult") -> str:
    lines = [f"registered  {data['version']}", f"samples     {data['samples']}"]
    if data["report"]:
        lines.append(f"report      {data['report']}")
    if data["best"]:
        lines.insert(0, f"best        {data['best']}")
    if data["onnx"]:
        lines.append(f"onnx        {data['onnx']}")
    return "\n".join([*lines, *_figures(result)])


def _figures(result: "TrainResult") -> list[str]:
    """Best and last side by side; nothing if nothing was evaluated."""
    if not result.evaluations:
        return []
    from ganzoo.api import figures
    from ganzoo.evaluation import tables

    header, rows = tables.rows(result.evaluations, figures())
    return ["", table(header, rows, dispensable=header[-1:]), *tables.remarks(result.evaluations)]
