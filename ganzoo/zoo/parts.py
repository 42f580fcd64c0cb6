"""The architecture of a recipe: one plugin's, or the networks of two."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ganzoo.config import NETWORKS, Settings
from ganzoo.errors import UsageError
from ganzoo.specs import Architecture
from ganzoo.zoo.names import Zoo
from ganzoo.zoo.options import as_name, fixed_options

LISTED = "ganzoo models lists them"
"""A hint where an architecture or a loss should be named."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What both networks are built from.

    Args:
        architecture: a plugin's own, or one that is put together of two.
        of: network -> the architecture that it is taken from, and that one's options.
        tables: keys of the configuration -> names and options, resolved.
    """

    architecture: Architecture
    of: Mapping[str, tuple[Architecture, Any]]
    tables: Mapping[str, Any]


def parts(zoo: Zoo, base: Architecture, settings: Settings, given: Settings, home: str) -> Parts:
    """The networks that ``generator_of`` and ``discriminator_of`` name, and those of ``base`` where they name none.

    Args:
        given: what a person asked for of ``settings``.
        home: the distribution whose defaults may name an architecture of its own.

    Raises:
        UsageError: the two do not go together, or there are options for an architecture that is not named.
    """
    options, table = fixed_options(base, settings.get("options", {}), "options")
    of: dict[str, tuple[Architecture, Any]] = {}
    tables: dict[str, Any] = {"options": table}
    for network in NETWORKS:
        name, key = as_name(settings.get(f"{network}_of", ""), f"{network}_of", LISTED), f"{network}_options"
        if not name:
            if settings.get(key):
                raise UsageError(f"{key} without {network}_of", hint=f"--set {network}_of=NAME, or --set options.…")
            of[network] = (base, options)
            continue
        spec = zoo.get(Architecture, name, home=None if f"{network}_of" in given else home)
        made, tables[key] = fixed_options(spec, settings.get(key, {}), key)
        tables[f"{network}_of"] = spec.name if zoo.owner(spec).builtin else zoo.qualified(spec)
        of[network] = (spec, made)
    return Parts(architecture=_joined(base, of["generator"][0], of["discriminator"][0]), of=of, tables=tables)


def _joined(base: Architecture, generator: Architecture, discriminator: Architecture) -> Architecture:
    if generator is discriminator is base:
        return base
    both = f"the generator of {generator.name!r} and the discriminator of {discriminator.name!r}"
    if generator.conditional != discriminator.conditional:
        takes = generator if generator.conditional else discriminator
        raise UsageError(f"{both} do not go together: only {takes.name!r} takes labels", hint=LISTED)
    sizes = tuple(size for size in generator.resolutions if size in discriminator.resolutions)
    channels = tuple(count for count in generator.channels if count in discriminator.channels)
    if not sizes or not channels:
        raise UsageError(f"{both} make no images of one size and number of channels", hint=LISTED)
    return replace(
        generator,
        name=f"{generator.name}+{discriminator.name}",
        discriminator=discriminator.discriminator,
        resolutions=sizes,
        channels=channels,
        batch_coupled=generator.batch_coupled or discriminator.batch_coupled,
    )
