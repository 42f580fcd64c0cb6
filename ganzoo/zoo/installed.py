"""Which plugins are installed: reads metadata only, and imports none of them."""

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ganzoo.errors import described
from ganzoo.specs import Spec
from ganzoo.version import __version__

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoints

API = "v1"
BUILTIN = "ganzoo"
"""The distribution whose plugins are the built-in ones."""

BUILTINS = "builtin"
"""What stands for all built-in plugins in ``GANZOO_PLUGINS``."""

LONGEST_NAME = 100
"""Most characters of the name of a plugin, of what it provides, or of a figure."""

UNREADABLE = "?"
"""The name of what stands for all plugins of a distribution whose entry points cannot be read."""

_GROUP = re.compile(r"ganzoo\.(v\d+)")


class State(StrEnum):
    """The state of a plugin: what became of it."""

    AVAILABLE = "available"
    """Found, not imported yet."""
    ACTIVE = "active"
    DISABLED = "disabled"
    """Left out of ``GANZOO_PLUGINS``; never imported."""
    INCOMPATIBLE = "incompatible"
    """Written for another major version of the plugin API; never imported."""
    DUPLICATE = "duplicate"
    """The same module as a plugin that was loaded before it."""
    BROKEN = "broken"


@dataclass(kw_only=True, eq=False)
class Plugin:
    """One entry point, and what became of it.

    Args:
        name: the entry point's name.
        distribution: normalised name of the installed distribution (PEP 503).
        version: the distribution's version.
        location: the directory that it is installed in.
        target: ``module`` or ``module:attribute``, as declared; without extras, which only pip reads.
        api: the plugin API that it was written for, such as ``v1``.
        reason: one line for every state but ``active``.
        specs: what it provides; empty unless active.
    """

    name: str
    distribution: str
    version: str
    location: str
    target: str
    api: str
    state: State = State.AVAILABLE
    reason: str = ""
    specs: tuple[Spec, ...] = ()

    @property
    def qualified(self) -> str:
        """``distribution/name``: unique."""
        return f"{self.distribution}/{self.name}"

    @property
    def builtin(self) -> bool:
        """Whether it comes with ganzoo."""
        return self.distribution == BUILTIN

    def __str__(self) -> str:
        """``distribution/name version``."""
        return f"{self.qualified} {self.version}"

    def set_aside(self, state: State, reason: str) -> None:
        """Make it provide nothing, for this reason."""
        self.state, self.reason, self.specs = state, reason, ()


def normalise(distribution: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def discover(environ: Mapping[str, str] = os.environ) -> list[Plugin]:
    """Every plugin that is installed, sorted by distribution and name. Imports none of them."""
    plugins = sorted(_installed(), key=lambda plugin: (plugin.distribution, plugin.name))
    allowed = allow_list(environ)
    for plugin in plugins:
        enabled = allowed is None or not allowed.isdisjoint(_called(plugin))
        if plugin.state is State.AVAILABLE and not enabled:
            plugin.set_aside(State.DISABLED, "left out of GANZOO_PLUGINS")
    return plugins


def allow_list(environ: Mapping[str, str] = os.environ) -> set[str] | None:
    """The plugins that ``GANZOO_PLUGINS`` allows, as normalised ``name`` or ``distribution/name``; None: all."""
    if (value := environ.get("GANZOO_PLUGINS")) is None:
        return None
    return {normalise(entry.strip()) for entry in value.split(",") if entry.strip()}


def unknown_names(plugins: Iterable[Plugin], environ: Mapping[str, str] = os.environ) -> list[str]:
    """Names in ``GANZOO_PLUGINS`` that no plugin has, most likely misspelt."""
    known = {BUILTINS}.union(*map(_called, plugins))
    return sorted((allow_list(environ) or set()) - known)


def spare_others(plugins: Iterable[Plugin]) -> None:
    """If there is metadata that cannot be read, have everybody in this process pass over it.

    torch looks at all entry points, of whatever distribution, when it is imported and when it exports or compiles.
    """
    if all(plugin.name != UNREADABLE for plugin in plugins):
        return
    from importlib.metadata import Distribution, EntryPoints

    def read(distribution: Distribution) -> EntryPoints:
        try:
            return _read_entry_points(distribution)
        except Exception:
            return EntryPoints(())

    _read_entry_points_property()  # remembered before it is replaced
    Distribution.entry_points = property(read)  # type: ignore[method-assign, assignment]


@cache
def _read_entry_points_property() -> property:
    from importlib.metadata import Distribution

    return cast("property", Distribution.__dict__["entry_points"])


def _read_entry_points(distribution: "Distribution") -> "EntryPoints":
    """A distribution's entry points; raises what is wrong with them."""
    return cast("EntryPoints", _read_entry_points_property().__get__(distribution))


def _called(plugin: Plugin) -> set[str]:
    """What ``GANZOO_PLUGINS`` may call a plugin."""
    return {normalise(plugin.name), normalise(plugin.qualified), *([BUILTINS] if plugin.builtin else [])}


def _installed() -> Iterable[Plugin]:
    """The plugins of all distributions that mention ganzoo, each distribution once."""
    from importlib import metadata  # 90 ms

    seen: set[str] = set()
    for candidate in metadata.distributions():
        # A distribution may stand on sys.path more than once (lib64 -> lib, editable and regular). What
        # counts is the first copy, whose modules import finds, even where only a later copy has plugins.
        with suppress(Exception):  # damaged metadata of any distribution: pip calls that an invalid one
            if not _mentions_us(candidate) or (name := normalise(candidate.name)) in seen:
                continue
            copies = metadata.distributions(name=candidate.name)
            first = _ours(copies) if name == BUILTIN else next(iter(copies))
            # Each look at the name or the version of a distribution would read the metadata again.
            if version := (fields := first.metadata)["Version"]:
                seen.add(name)
                yield from _declared(first, fields["Name"], version)


def _mentions_us(distribution: "Distribution") -> bool:
    """Whether a distribution may have plugins: what cannot be read may declare anything."""
    try:
        return "[ganzoo.v" in (distribution.read_text("entry_points.txt") or "")
    except UnicodeDecodeError:
        return True


def _ours(copies: "Iterable[Distribution]") -> "Distribution":
    """The copy of our own distribution whose package runs here: a stranger of that name does not hide the built-ins."""
    running = Path(__file__).resolve().parents[2]
    return max(
        copies, key=lambda copy: (Path(str(copy.locate_file(""))).resolve() == running, copy.version == __version__)
    )


def _declared(distribution: "Distribution", name: str, version: str) -> list[Plugin]:
    """The plugins of one distribution; each name once, at this API's version if it offers that."""
    location = str(distribution.locate_file(""))

    def plugin(entry: str, target: str, api: str) -> Plugin:
        made = Plugin(
            name=_short(entry),
            distribution=_short(normalise(name)),
            version=_short(version),
            location=location,
            target=target,
            api=api,
        )
        if (longest := max(map(len, (entry, name, version)))) > LONGEST_NAME:
            made.set_aside(State.BROKEN, f"its name has {longest:,} characters; wanted: at most {LONGEST_NAME}")
        return made

    try:
        entries = [
            plugin(entry.name, entry.value.partition("[")[0].strip(), group[1])
            for entry in _read_entry_points(distribution)
            if (group := _GROUP.fullmatch(entry.group))
        ]
    except Exception as error:
        unreadable = plugin(UNREADABLE, "", "?")
        unreadable.set_aside(State.BROKEN, f"entry_points.txt cannot be read: {described(error)}")
        return [unreadable]

    found: dict[str, Plugin] = {}
    for entry in sorted(entries, key=lambda plugin: plugin.api != API):
        first = found.setdefault(entry.name, entry)
        if first is not entry and (first.api, first.state) == (entry.api, State.AVAILABLE):
            first.set_aside(State.BROKEN, f"it is declared twice: as {first.target} and as {entry.target}")
    for entry in found.values():
        if entry.api != API:
            entry.set_aside(State.INCOMPATIBLE, f"written for plugin API {entry.api}; this ganzoo speaks {API}")
    return list(found.values())


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:20]}…"
