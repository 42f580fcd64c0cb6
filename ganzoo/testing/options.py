"""Checks of options and defaults: what is recorded of a run must be read back as what it was."""

import json
from dataclasses import fields
from typing import Any

import tomli_w

from ganzoo.config import RunConfig, convert
from ganzoo.errors import PluginError
from ganzoo.files import parse_toml
from ganzoo.specs import Architecture, Augmentation, Loss, Model, Optimizer
from ganzoo.testing.bench import Bench
from ganzoo.testing.checks import NotRun


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
        if found != defaults:
            raise PluginError(f"through {form}, {defaults} become {found}")
    return ", ".join(f"{key}={value!r}" for key, value in values.items())


def configuration(bench: Bench, spec: Model) -> str:
    """The model's whole configuration, written as ``config.toml``, is read back as the same configuration."""
    config = bench.recipe(spec).config
    found: Any = convert(parse_toml(config.to_toml()), RunConfig)
    if found.to_dict() != config.to_dict():
        raise PluginError("its configuration is another one when it is read from config.toml")
    return f"architecture {config.architecture}, loss {config.loss}"
