"""A training as it was asked for. A wrong name, key or path is found here, without importing torch."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from ganzoo.config import RunConfig, Settings, merge
from ganzoo.data import Source
from ganzoo.errors import UsageError
from ganzoo.files import checked
from ganzoo.records.run import Run
from ganzoo.records.trained import trained
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import Recipe, resolve
from ganzoo_registry import Registry, Version

INHERITED = (
    "model",
    "architecture",
    "generator_of",
    "discriminator_of",
    "loss",
    "penalties",
    "options",
    "generator_options",
    "discriminator_options",
    "loss_options",
    "size",
    "held_out",
)
"""Keys that a fine-tuned run takes from the version that it starts from, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A training that was asked for: names are resolved and the data are found; nothing is decoded, built or written.

    Args:
        recipe: complete but for what depends on the hardware.
        source: the data that the configuration names.
        parent: the version whose weights to start from, or None.
        run: the run that goes on, or None.
    """

    recipe: Recipe
    source: Source
    parent: Version | None = None
    run: Run | None = None


def check_start(resume: object, init_from: object) -> None:
    """Refuse to start from the beginning where something else was asked for: an empty variable names no run.

    Raises:
        UsageError: one is given and empty, or both are given.
    """
    for what, given in (("resume", resume), ("init_from", init_from)):
        if given is not None and not str(given).strip():
            hint = "leave it out to start from the beginning; a variable that is not set leaves nothing"
            raise UsageError(f"{what}: {given!r} names nothing to go on with", hint=hint)
    if resume is not None and init_from is not None:
        raise UsageError("--resume and --init-from exclude each other", hint="a resumed run has its weights")


def draft_new(store: Registry, model: str | None, settings: Settings, init_from: str | None = None) -> Draft:
    """Draft a new training.

    Args:
        store: where ``init_from`` is registered.
        model: its name; None: ``settings`` or ``init_from`` say which.
        settings: over the model's defaults.
        init_from: a reference to the version whose weights to start from, which ``settings`` may name, too.

    Raises:
        UsageError, NotFoundError, PluginError, RegistryError: a name, a key or a value that cannot be used.
    """
    init_from = init_from or settings.get("init_from")
    parent = store.resolve(str(init_from)) if init_from else None
    inherited: dict[str, Any] = {}
    if parent:
        config = trained(store, parent, "config")["config"]
        inherited = {key: config[key] for key in INHERITED if key in config}
        settings = {**settings, "init_from": str(parent)}  # a name alone means another version later
    name = model or _name(settings) or inherited.get("model")
    if name is None:
        raise UsageError("no model was chosen", hint="ganzoo train --model NAME; ganzoo models lists them")
    if name != inherited.get("model"):  # then architecture, loss and options are the other model's
        inherited = {key: inherited[key] for key in ("size", "held_out") if key in inherited}
    elif "loss" in settings:  # then penalties are the other loss's
        inherited = {key: value for key, value in inherited.items() if key not in ("penalties", "loss_options")}
    recipe, source = _found(name, inherited, settings)
    return Draft(recipe=recipe, source=source, parent=parent)


def draft_resumed(run: Run, model: str | None, settings: Settings) -> Draft:
    """Draft the rest of a run that goes on.

    Args:
        model, settings: what comes over the run's own configuration.

    Raises:
        UsageError, NotFoundError, PluginError: a name, a key or a value that cannot be used.
    """
    asked = merge(settings, {"model": model} if model else {})
    if _means(str(asked.get("init_from")), run.config.init_from):
        del asked["init_from"]
    recipe, source = _found(_name(asked) or run.config.model, run.config.to_dict(), asked)
    return Draft(recipe=recipe, source=source, run=run)


def _name(settings: Settings) -> str | None:
    """The model that settings name; None: none.

    Raises:
        UsageError: it is no name.
    """
    name = settings.get("model")
    if name is not None and not isinstance(name, str):
        raise UsageError(f"configuration key 'model': {name!r} is no name", hint="ganzoo models lists them")
    return name or None


def _means(given: str, parent: str) -> bool:
    """Whether a reference may mean the version that a run began with: a name and an alias meant it when it began."""
    return given == parent or given.partition("@")[0] == parent.partition(":")[0] != ""


def _found(model: str, *settings: Settings) -> tuple[Recipe, Source]:
    @cache
    def source(name: str) -> Source:
        return Source(name, zoo())

    recipe = resolve(zoo(), model, *settings, native=lambda name: source(name).native)
    found = source(recipe.config.data)
    return replace(recipe, config=_with_whole_paths(recipe.config, found)), found


def _with_whole_paths(config: RunConfig, source: Source) -> RunConfig:
    """The configuration with paths that mean the same in another working directory, where the run may go on."""

    def whole(path: str, what: str) -> str:
        return str(checked(path, what).absolute())

    data = config.data if source.dataset else whole(config.data, "--data")
    features = whole(config.features, "features") if config.features.endswith(".onnx") else config.features
    return replace(config, data=data, features=features)
