"""``ganzoo models``: what can be trained."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from ganzoo.cli.groups import Group
from ganzoo.cli.output import emit, flatten, json_option, table
from ganzoo.errors import GanzooError
from ganzoo.specs import Architecture, Loss, Model
from ganzoo.zoo.discovery import State
from ganzoo.zoo.foreign import called, warn
from ganzoo.zoo.names import Zoo, zoo


@click.group(cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the models that can be trained."""
    if context.invoked_subcommand is None:
        found = zoo()
        emit([_summary(found, model) for model in found.all(Model)], as_json, _listing)
        _warn_of_broken(found)


@command.command()
@click.argument("name")
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
    architecture, loss = _parts(found, model)
    return {
        **_summary(found, model),
        "architecture": found.qualified(architecture),
        "generator": architecture.generator,
        "discriminator": architecture.discriminator,
        "options": asdict(architecture.options()),
        "controls": {name: asdict(control) for name, control in architecture.control_ranges.items()},
        "loss": found.qualified(loss),
        "penalties": {penalty.name: {"weight": penalty.weight, "every": penalty.every} for penalty in loss.penalties},
        "defaults": {**loss.defaults, **model.defaults},
        "defaults_up_to": {str(size): dict(defaults) for size, defaults in model.defaults_up_to.items()},
    }


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
    return table(("MODEL", "ARCHITECTURE", "LOSS", "PIXELS", "LABELS", "FROM", "SUMMARY"), rows)


def _page(model: dict[str, Any]) -> str:
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
    defaults = model["defaults"]
    settings = {
        **defaults,
        "options": {**model["options"], **defaults.get("options", {})},
        "penalties": {**model["penalties"], **defaults.get("penalties", {})},
    }
    small = [
        (key, f"{value} (up to {size} pixels)")
        for size, defaults in model["defaults_up_to"].items()
        for key, value in flatten(defaults)
    ]
    return "\n".join(
        [
            f"{model['name']}: {model['summary']}",
            "",
            table(("", ""), list(facts.items())).lstrip("\n"),
            "",
            table(("SETTING (--set SETTING=VALUE)", "DEFAULT"), flatten(settings) + small),
        ]
    )


def _warn_of_broken(found: Zoo) -> None:
    for plugin in found.manager.plugins:
        if plugin.state is State.BROKEN:
            warn(f"Plugin {plugin} is broken: {plugin.reason}")
