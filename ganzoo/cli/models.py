"""``ganzoo models``: what can be trained."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from ganzoo.cli import completion
from ganzoo.cli.groups import Group, refuse_options
from ganzoo.cli.output import emit, interval, json_option
from ganzoo.cli.tables import listing, table
from ganzoo.errors import GanzooError
from ganzoo.files import flatten
from ganzoo.specs import Architecture, Loss, Model
from ganzoo.zoo.discovery import State
from ganzoo.zoo.foreign import called, warn
from ganzoo.zoo.names import Zoo, zoo


@click.group(cls=Group, invoke_without_command=True)
@click.option("--loss", metavar="NAME", help="Only models with this loss.")
@click.option("--conditional/--unconditional", default=None, help="Only models that take class labels, or take none.")
@json_option
@click.pass_context
def command(context: click.Context, loss: str | None, conditional: bool | None, as_json: bool) -> None:
    """List the models that can be trained."""
    refuse_options(context)
    if context.invoked_subcommand is None:
        found = zoo()
        asked = None if loss is None else found.get(Loss, loss)
        listed = [model for model in found.all(Model) if _wanted(found, model, asked, conditional)]
        emit([_summary(found, model) for model in listed], as_json, _listing)
        _warn_of_broken(found)


def _wanted(found: Zoo, model: Model, loss: Loss | None, conditional: bool | None) -> bool:
    if loss is None and conditional is None:
        return True
    try:
        architecture, own = _parts(found, model)
    except GanzooError:  # it lacks a part: nobody knows
        return False
    return (loss is None or own is loss) and conditional in (None, architecture.conditional)


@command.command()
@click.argument("name", shell_complete=completion.models)
@json_option
def show(name: str, as_json: bool) -> None:
    """Show what model NAME consists of: its architecture and options, its loss, its defaults."""
    found = zoo()
    emit(called(f"model {name!r}", _details, found, found.get(Model, name)), as_json, _page)


def _parts(found: Zoo, model: Model) -> tuple[Architecture, Loss]:
    home = found.owner(model).distribution
    architecture = found.get(Architecture, model.architecture, home=home)
    return architecture, found.get(Loss, model.loss, home=home)


def _summary(found: Zoo, model: Model) -> dict[str, Any]:
    owner = found.owner(model)
    summary: dict[str, Any] = {
        "name": found.shortest(model),
        "architecture": model.architecture,
        "loss": model.loss,
        "resolutions": [],
        "conditional": None,
        "summary": model.summary,
        "provided_by": f"{owner.distribution} {owner.version}",
        "problem": None,
    }
    try:
        architecture, _ = _parts(found, model)
    except GanzooError as error:  # one model that lacks a part does not hide the others
        return {**summary, "problem": str(error)}
    return {
        **summary,
        "resolutions": list(architecture.resolutions),
        "conditional": architecture.conditional,
    }


def _details(found: Zoo, model: Model) -> dict[str, Any]:
    from ganzoo.config import merge
    from ganzoo.zoo.measured import measured
    from ganzoo.zoo.options import penalty_table
    from ganzoo.zoo.parts import parts

    architecture, loss = _parts(found, model)
    defaults, home = merge(loss.defaults, model.defaults), found.owner(model).distribution
    networks = parts(found, architecture, defaults, {}, home)
    taken_from = {key: value for key, value in networks.tables.items() if key != "options"}
    return {
        **_summary(found, model),
        **{key: getattr(model, key) for key in ("paper", "year", "reference", "code")},
        "resolutions": list(networks.architecture.resolutions),
        "channels": list(networks.architecture.channels),
        "architecture": found.qualified(architecture),
        "generator": networks.architecture.generator,
        "discriminator": networks.architecture.discriminator,
        "options": asdict(architecture.options()),
        "controls": {name: asdict(control) for name, control in architecture.control_ranges.items()},
        "loss": found.qualified(loss),
        "loss_options": asdict(loss.options()) if loss.options else {},
        "state": dict(loss.state),
        "penalties": {penalty.name: penalty_table(penalty) for penalty in loss.penalties},
        "defaults": _with_optimizers(found, merge(defaults, taken_from), home),
        "defaults_up_to": {str(size): dict(defaults) for size, defaults in model.defaults_up_to.items()},
        "presets": {name: asdict(preset) for name, preset in model.presets.items()},
        "measured": asdict(measured(model)),
    }


def _with_optimizers(found: Zoo, defaults: Mapping[str, Any], home: str) -> dict[str, Any]:
    """The defaults with all options of each optimizer that they name."""
    from ganzoo.config import NETWORKS
    from ganzoo.zoo.options import optimizers

    chosen, _ = optimizers(found, {"its model": defaults}, home)
    named = [network for network in NETWORKS if "optimizer" in defaults.get(network, {})]
    return {**defaults, **{each: {**asdict(chosen[each][0].options()), **defaults[each]} for each in named}}


def _listing(models: Sequence[dict[str, Any]]) -> str:
    rows = [
        (
            model["name"],
            model["architecture"],
            model["loss"],
            ", ".join(map(str, model["resolutions"])),
            "by class" if model["conditional"] else "",
            model["provided_by"],
            f"unusable: {model['problem']}" if model["problem"] else model["summary"],
        )
        for model in models
    ]
    return table(
        ("MODEL", "ARCHITECTURE", "LOSS", "PIXELS", "LABELS", "FROM", "SUMMARY"),
        rows,
        dispensable=("FROM", "PIXELS", "ARCHITECTURE", "LOSS"),
    )


def _page(model: dict[str, Any]) -> str:
    from ganzoo.config import merge

    facts = {
        "provided by": model["provided_by"],
        "architecture": model["architecture"],
        "generator": model["generator"],
        "discriminator": model["discriminator"],
        "pixels": ", ".join(map(str, model["resolutions"])),
        "labels": "required" if model["conditional"] else "not used",
        "loss": model["loss"],
    }
    for name, control in model["controls"].items():
        facts[f"control {name}"] = f"{control['default']:g}, from {control['low']:g} to {control['high']:g}"
    if len(model["channels"]) == 1:
        facts["images"] = "colour only" if model["channels"] == [3] else "grey only"
    if model["state"]:
        facts["remembers"] = ", ".join(model["state"])
    for name, preset in model["presets"].items():
        meant = f" ({', '.join(map(str, preset['resolutions']))} pixels)" if preset["resolutions"] else ""
        facts[f"preset {name}"] = f"{preset['summary']}{meant}".strip()
    if published := _published(model):
        facts["published"] = published
    if model["code"]:
        facts["authors' code"] = model["code"]
    own = {key: model[key] for key in ("options", "loss_options", "penalties")}
    settings = {key: value for key, value in merge(own, model["defaults"]).items() if value != {}}
    small = [
        (key, f"{value} (up to {size} pixels)")
        for size, defaults in model["defaults_up_to"].items()
        for key, value in _rows(defaults)
    ]
    return "\n".join(
        [
            f"{model['name']}: {model['summary']}" if model["summary"] else model["name"],
            "",
            listing(list(facts.items())),
            "",
            table(("SETTING (--set SETTING=VALUE)", "DEFAULT"), _rows(settings) + small),
            *_costs(model["measured"]["costs"]),
            *_trainings(model["measured"]["trainings"]),
        ]
    )


def _published(model: Mapping[str, Any]) -> str:
    """Paper, year and address, as far as they are known; the year once."""
    year = "" if str(model["year"]) in model["paper"] else model["year"]
    return " ".join(str(each) for each in (model["paper"], year, model["reference"]) if each)


def _costs(costs: Mapping[int, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Parameters and operations of each network at each size, under a line that is empty; nothing if none is known."""
    networks = sorted({network for cost in costs.values() for network in cost}, reverse=True)
    header = ["PIXELS", *(f"{network.upper()} {unit}" for network in networks for unit in ("PARAMETERS", "GFLOP"))]
    rows = [
        [
            size,
            *(f"{cost[name][key]:,}" if name in cost else "" for name in networks for key in ("parameters", "gflop")),
        ]
        for size, cost in costs.items()
    ]
    return ["", table(header, rows)] if rows else []


def _trainings(trainings: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was measured, a row for each training, under a line that is empty; nothing if nothing was."""
    from ganzoo.zoo.names import zoo

    rows, bounds = [], zoo().bounds()
    for each in trainings:
        figures = [f"{name} {interval(mean, half, bounds.get(name))}" for name, (mean, half) in each["figures"].items()]
        what = f"{each['data']}, {each['size']} px" + (f", {each['settings']}" if each["settings"] else "")
        rows.append((what, each["budget"], each["seeds"], ", ".join(figures)))
    return ["", table(("MEASURED ON", "BUDGET", "SEEDS", "FIGURES"), rows)] if rows else []


def _rows(settings: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The settings in rows; a schedule is one row."""
    return [(key, _typed(value)) for key, value in flatten(_readable(settings))]


def _typed(value: Any) -> Any:
    """A value as ``--set`` takes it; ``-`` where there is none, which cannot be typed."""
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value is None else value


def _readable(value: Any) -> Any:
    from ganzoo.config.schedule import CurveName
    from ganzoo.config.tables import is_schedule

    if is_schedule(value):
        until = value.get("until", "100%")
        return f"{value['from']} to {value['to']} until {until}, {value.get('curve', CurveName.LINEAR)}"
    if isinstance(value, Mapping):
        return {key: _readable(each) for key, each in value.items() if each != {}}
    if isinstance(value, list | tuple):
        readable = [_readable(each) for each in value]
        return f"[{', '.join(map(str, readable))}]" if any(map(is_schedule, value)) else readable
    return value


def _warn_of_broken(found: Zoo) -> None:
    for plugin in found.manager.plugins:
        if plugin.state is State.BROKEN:
            warn(f"Plugin {plugin} is broken: {plugin.reason}")
