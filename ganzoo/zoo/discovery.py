"""Finds plugins, and keeps a bad one from hurting anything but itself.

A plugin is an entry point in the group ``ganzoo.v1``. Discovery reads metadata only; loading takes one after
the other: import, register, check, validate. pluggy's own ``load_setuptools_entrypoints`` is not used: there
one failing import ends the whole load, and of two plugins with one name the order of directories decides
which is dropped.

A crash of the interpreter (a segmentation fault in an extension module) cannot be isolated in one process:
``GANZOO_PLUGINS=`` starts without plugins.
"""

import importlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pluggy

from ganzoo import hookspecs
from ganzoo.errors import GanzooError, PluginError, described, did_you_mean, first_line, missing_package
from ganzoo.specs import Spec
from ganzoo.zoo.validation import validate

if TYPE_CHECKING:
    from importlib.metadata import Distribution

API = "v1"
BUILTIN = "ganzoo"
"""The distribution whose plugins are the built-in ones."""

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
        target: ``module`` or ``module:attribute``, as declared.
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
    plugins = sorted(
        (plugin for distribution in _distributions() for plugin in _declared(distribution)),
        key=lambda plugin: (plugin.distribution, plugin.name),
    )
    allowed = allow_list(environ)
    for plugin in plugins:
        enabled = allowed is None or not allowed.isdisjoint({plugin.name, plugin.qualified})
        if plugin.state is State.AVAILABLE and not enabled:
            plugin.set_aside(State.DISABLED, "left out of GANZOO_PLUGINS")
    return plugins


def allow_list(environ: Mapping[str, str] = os.environ) -> set[str] | None:
    """The plugins that ``GANZOO_PLUGINS`` allows, as ``name`` or ``distribution/name``; None: all."""
    if (value := environ.get("GANZOO_PLUGINS")) is None:
        return None
    return {entry.strip() for entry in value.split(",") if entry.strip()}


def unknown_names(plugins: Iterable[Plugin], environ: Mapping[str, str] = os.environ) -> list[str]:
    """Names in ``GANZOO_PLUGINS`` that no plugin has, most likely misspelt."""
    known = {name for plugin in plugins for name in (plugin.name, plugin.qualified)}
    return sorted((allow_list(environ) or set()) - known)


def _distributions() -> "Iterable[Distribution]":
    """The distributions that mention ganzoo, each once."""
    from importlib import metadata  # 90 ms

    found: dict[str, Distribution] = {}
    for candidate in metadata.distributions():
        # A distribution may stand on sys.path more than once (lib64 -> lib, editable and regular). What
        # counts is the first copy, whose modules import finds, even where only a later copy has plugins.
        with suppress(Exception):  # damaged metadata of any distribution: pip calls that an invalid one
            if "[ganzoo.v" in (candidate.read_text("entry_points.txt") or ""):
                first = metadata.distribution(candidate.name)
                if first.version:
                    found.setdefault(normalise(first.name), first)
    return found.values()


def _declared(distribution: "Distribution") -> list[Plugin]:
    """The plugins of one distribution; each name once, at this API's version if it offers that."""

    def plugin(name: str, target: str, api: str) -> Plugin:
        return Plugin(
            name=name,
            distribution=normalise(distribution.name),
            version=distribution.version,
            location=str(distribution.locate_file("")),
            target=target,
            api=api,
        )

    try:
        entries = [
            plugin(entry.name, entry.value, group[1])
            for entry in distribution.entry_points
            if (group := _GROUP.fullmatch(entry.group))
        ]
    except Exception as error:
        unreadable = plugin("?", "", "?")
        unreadable.set_aside(State.BROKEN, f"entry_points.txt cannot be read: {_one_line(error)}")
        return [unreadable]

    found: dict[str, Plugin] = {}
    for entry in sorted(entries, key=lambda plugin: plugin.api != API):
        found.setdefault(entry.name, entry)
    for entry in found.values():
        if entry.api != API:
            entry.set_aside(State.INCOMPATIBLE, f"written for plugin API {entry.api}; this ganzoo speaks {API}")
    return list(found.values())


class Manager:
    """Loads plugins and calls their hooks, so that a failure stays within one plugin.

    ``GANZOO_STRICT_PLUGINS=1`` turns a broken plugin into a ``PluginError``.

    Args:
        plugins: what to load; by default everything that is installed.
        environ: the mapping in which ``GANZOO_PLUGINS`` and ``GANZOO_STRICT_PLUGINS`` are looked up.
    """

    def __init__(self, plugins: list[Plugin] | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self.plugins = discover(environ) if plugins is None else plugins
        self._strict = environ.get("GANZOO_STRICT_PLUGINS") == "1"
        self._warned: set[str] = set()
        self._answers: list[Any] = []
        self._pluggy = pluggy.PluginManager("ganzoo")
        self._pluggy.add_hookspecs(hookspecs)
        # pluggy calls it for each plugin as it is registered: the answer, or the exception, is that plugin's.
        self._pluggy.hook.ganzoo_specs.call_historic(result_callback=self._answers.append)
        for plugin in self.plugins:
            if plugin.state is State.AVAILABLE:
                self._load(plugin)

    def notify(self, hook: str, on_problem: Callable[[str], None], /, **arguments: Any) -> list[tuple[Plugin, Any]]:
        """Call ``hook`` in one plugin after the other; one that raises is passed over.

        Args:
            hook: name of the hook, such as ``ganzoo_report``.
            on_problem: is given one line, the first time that a plugin fails.
            arguments: the hook's arguments.

        Returns:
            (plugin, result) of each plugin that implements the hook and returned something.
        """
        owners = {plugin.qualified: plugin for plugin in self.plugins}
        results = []
        for implementation in getattr(self._pluggy.hook, hook).get_hookimpls():
            plugin = owners[implementation.plugin_name]
            try:
                answer = implementation.function(*(arguments[name] for name in implementation.argnames))
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                if plugin.qualified not in self._warned:
                    self._warned.add(plugin.qualified)
                    on_problem(f"plugin {plugin} failed in {hook}: {_one_line(error)}")
            else:
                if answer is not None:
                    results.append((plugin, answer))
        return results

    def watching(self, hook: str) -> list[Plugin]:
        """The plugins that implement ``hook``."""
        callers = {each.plugin_name for each in getattr(self._pluggy.hook, hook).get_hookimpls()}
        return [plugin for plugin in self.plugins if plugin.qualified in callers]

    def _load(self, plugin: Plugin) -> None:
        self._answers.clear()
        try:
            module = resolve(plugin.target)
            if twin := self._pluggy.get_name(module):
                plugin.set_aside(State.DUPLICATE, f"{plugin.target} is loaded as {twin} already")
                return
            self._pluggy.register(module, plugin.qualified)
            self._check_hooks(module)
            specs = validate(spec for answer in self._answers for spec in answer)
            self._check_collisions(plugin, specs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit at import, too
            # pluggy may have registered some hooks of the plugin before the fault was found.
            self._pluggy.unregister(name=plugin.qualified)
            plugin.set_aside(State.BROKEN, _one_line(error))
            if self._strict:
                raise PluginError(f"plugin {plugin} is broken: {plugin.reason}") from error
        else:
            plugin.state, plugin.specs = State.ACTIVE, specs

    def _check_hooks(self, module: Any) -> None:
        """Refuse misspelt hooks, and hooks without their decorator: they would never be called, without a warning."""
        callers = self._pluggy.get_hookcallers(module) or []
        hooks = {name for name in vars(self._pluggy.hook) if getattr(self._pluggy.hook, name).has_spec()}
        for caller in callers:
            (own,) = (each for each in caller.get_hookimpls() if each.plugin is module)
            if not caller.has_spec() and not own.optionalhook:
                raise PluginError(f"unknown hook {caller.name!r}; {did_you_mean(caller.name, hooks)}")
            if own.wrapper or own.hookwrapper:
                raise PluginError(f"{caller.name} is a wrapper; wanted: @ganzoo.hookimpl without arguments")
        for name in sorted(hooks.intersection(dir(module)).difference(caller.name for caller in callers)):
            raise PluginError(f"{name} is not marked as a hook; wanted: @ganzoo.hookimpl above def {name}")

    def _check_collisions(self, plugin: Plugin, specs: tuple[Spec, ...]) -> None:
        """Refuse specs that share a ``distribution/name``, or an object, with those of another plugin."""
        for other in self.plugins:
            for theirs in other.specs:
                for ours in specs:
                    if ours is theirs:
                        raise PluginError(f"{ours.kind} {ours.name!r} is the very object of {other.qualified}")
                    same = (ours.kind, ours.name) == (theirs.kind, theirs.name)
                    if same and other.distribution == plugin.distribution:
                        raise PluginError(f"{ours.kind} {ours.name!r} is provided by {other.qualified} already")


def resolve(target: str) -> Any:
    """Import what ``module`` or ``module:attribute`` names; exceptions of the import are not caught."""
    module, _, attribute = target.partition(":")
    found: Any = importlib.import_module(module)
    for part in filter(None, attribute.split(".")):
        found = getattr(found, part)
    return found


def _one_line(error: BaseException) -> str:
    """One line on what is wrong with a plugin: our own errors as they are, and a missing package by its name."""
    if isinstance(error, ImportError):
        error = missing_package(error) or error
    if isinstance(error, GanzooError):
        return f"{first_line(error)}; {error.hint}" if error.hint else first_line(error)
    return described(error)
