"""Checks of options and defaults: what is recorded of a run must be read back as what it was."""

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import tomli_w

from ganzoo.config import RunConfig, Settings, changes, convert, same
from ganzoo.errors import GanzooError, PluginError
from ganzoo.files import parse_toml
from ganzoo.specs import Architecture, Augmentation, Loss, Model, Optimizer
from ganzoo.testing.bench import Bench
from ganzoo.testing.checks import NotRun
from ganzoo.zoo.measured import measured
from ganzoo.zoo.recipe import resolve


def options(bench: Bench, spec: Architecture | Loss | Augmentation | Optimizer) -> str:
    """Default options, written as TOML and as JSON, are read back as the same options."""
    if spec.options is None:
        raise NotRun("it has no options")
    defaults = spec.options()
    # TOML has no None; a key that is left out is the default.
    values = {field.name: getattr(defaults, field.name) for field in fields(defaults)}
    written = {key: value for key, value in values.items() if value is not None}
    for form, read in (("TOML", parse_toml(tomli_w.dumps(written))), ("JSON", json.loads(json.dumps(written)))):
        found = convert(read, spec.options, "options.")
        for key, value in values.items():
            if not same(again := getattr(found, key), value):
                raise PluginError(f"through {form}, {key}={value!r} becomes {again!r}")
    return ", ".join(f"{key}={value!r}" for key, value in values.items())


def configuration(bench: Bench, spec: Model) -> str:
    """The model's whole configuration, written as ``config.toml``, is read back as the same configuration.

    With each preset, and at small sizes, the model has one, too; and what was measured of it can be read.
    """
    recipe = bench.recipe(spec)
    config = recipe.config
    found: Any = convert(parse_toml(config.to_toml()), RunConfig)
    if changed := changes(config, found):
        raise PluginError(f"its configuration is another one when it is read from config.toml: {changed[0]}")
    for asked in _further(spec, recipe.architecture):
        try:
            resolve(bench.zoo, bench.zoo.qualified(spec), asked)
        except GanzooError as error:
            said = ", ".join(f"{key}={value}" for key, value in asked.items())
            raise PluginError(f"with {said}: {error}", hint=error.hint) from error
    measured(spec)
    return f"architecture {config.architecture}, loss {config.loss}"


def _further(spec: Model, architecture: Architecture) -> Iterator[Settings]:
    """What a person may ask for that brings in more of the model's configuration than its defaults."""
    for name, preset in spec.presets.items():
        yield from ({"preset": name, "size": size} for size in preset.resolutions or (0,))
    for limit in spec.defaults_up_to:
        if sizes := [size for size in architecture.resolutions if size <= limit]:
            yield {"size": max(sizes)}
