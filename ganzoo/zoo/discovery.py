"""Loads plugins, and keeps a bad one from hurting anything but itself.

A plugin is an entry point in the group ``ganzoo.v1``. Discovery reads metadata only; loading takes one after
the other: import, register, check, validate. pluggy's own ``load_setuptools_entrypoints`` is not used: there
one failing import ends the whole load, and of two plugins with one name the order of directories decides
which is dropped.

A crash of the interpreter (a segmentation fault in an extension module) cannot be isolated in one process:
``ganzoo.zoo.trial`` has another one load what was not seen to load before.
"""

import importlib
import inspect
import itertools
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import replace
from functools import partial
from types import CoroutineType
from typing import Any

import pluggy

from ganzoo import hookspecs
from ganzoo.errors import PluginError, did_you_mean, message
from ganzoo.specs import Loss, Penalty, Spec
from ganzoo.zoo.foreign import Patience, contained, in_one_line, loading, trusted
from ganzoo.zoo.installed import (
    API,
    BUILTIN,
    Plugin,
    State,
    allow_list,
    discover,
    normalise,
    unknown_names,
)
from ganzoo.zoo.validation import MOST_SPECS, validate

__all__ = [
    "API",
    "BUILTIN",
    "Manager",
    "Plugin",
    "State",
    "allow_list",
    "discover",
    "normalise",
    "resolve",
    "unknown_names",
]

YES = ("1", "true", "yes", "on")
"""What turns an environment variable on."""

SPECS = "ganzoo_specs"
"""The hook that yields what a plugin provides."""


class Manager:
    """Loads plugins and calls their hooks, so that a failure stays within one plugin.

    ``GANZOO_STRICT_PLUGINS``, ``1`` or another word of ``YES``, turns a broken plugin into a ``PluginError``.

    Args:
        plugins: what to load; by default everything that is installed.
        environ: the mapping in which ``GANZOO_PLUGINS`` and ``GANZOO_STRICT_PLUGINS`` are looked up.
    """

    def __init__(self, plugins: list[Plugin] | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self.plugins = discover(environ) if plugins is None else plugins
        self._strict = environ.get("GANZOO_STRICT_PLUGINS", "").lower() in YES
        self._warned: set[str] = set()
        self._answers: list[Any] = []
        self._modules: dict[str, Any] = {}
        self._copies: dict[str, dict[int, Any]] = {}
        self._pluggy = pluggy.PluginManager("ganzoo")
        self._pluggy.add_hookspecs(hookspecs)
        # pluggy calls it for each plugin as it is registered: the answer, or the exception, is that plugin's.
        self._pluggy.hook.ganzoo_specs.call_historic(result_callback=self._answers.append)
        with Patience() if any(map(_is_strange, self.plugins)) else nullcontext() as self._patience:
            for plugin in sorted(self.plugins, key=lambda plugin: not plugin.builtin):  # nobody offers theirs before
                if plugin.state is State.AVAILABLE:
                    self._load(plugin)
                elif plugin.state is State.BROKEN:
                    self._refuse(plugin, None)

    def notify(self, hook: str, on_problem: Callable[[str], None], /, **arguments: Any) -> list[tuple[Plugin, Any]]:
        """Call ``hook`` in one plugin after the other; one that raises is passed over.

        Args:
            hook: name of the hook, such as ``ganzoo_report``.
            on_problem: is given one line, the first time that a plugin fails.
            arguments: the hook's arguments; each plugin is given copies of its own.

        Returns:
            (plugin, result) of each plugin that implements the hook and returned something.
        """
        owners = {plugin.qualified: plugin for plugin in self.plugins}
        results = []
        for implementation in getattr(self._pluggy.hook, hook).get_hookimpls():
            plugin = owners[implementation.plugin_name]
            given = self._own(plugin, {name: arguments[name] for name in implementation.argnames})
            with (
                _written_down(plugin, hook),
                contained(f"plugin {plugin}", tell=partial(self._tell_once, on_problem)) as interrupts,
            ):
                try:
                    answer = implementation.function(*given)
                except BaseException as error:
                    if error in interrupts:
                        raise
                    if plugin.qualified not in self._warned:
                        self._warned.add(plugin.qualified)
                        on_problem(f"plugin {plugin} failed in {hook}: {in_one_line(error)}")
                else:
                    if answer is not None:
                        results.append((plugin, answer))
        return results

    def _tell_once(self, on_problem: Callable[[str], None], line: str) -> None:
        if line not in self._warned:
            self._warned.add(line)
            on_problem(line)

    def watching(self, hook: str) -> list[Plugin]:
        """The plugins that implement ``hook``."""
        callers = {each.plugin_name for each in getattr(self._pluggy.hook, hook).get_hookimpls()}
        return [plugin for plugin in self.plugins if plugin.qualified in callers]

    def _own(self, plugin: Plugin, arguments: Mapping[str, Any]) -> list[Any]:
        """A plugin's own copies: what it does to them, nobody else sees."""
        # deepcopy's memory makes a run the same object at each call, so that a plugin can keep things by it.
        memory = self._copies.setdefault(plugin.qualified, {})
        run: Any = arguments.get("run")
        if id(run) not in memory and hasattr(run, "config"):
            own = deepcopy(run, memory)
            own.config = replace(own.config, observers=[self._said_to(plugin, name) for name in own.config.observers])
        return [deepcopy(value, memory if name == "run" else {}) for name, value in arguments.items()]

    def _said_to(self, plugin: Plugin, observer: str) -> str:
        """The name of an observer for a plugin: its own is bare, whatever is installed; another of that name is not."""
        if observer == plugin.qualified:
            return plugin.name
        shared = observer == plugin.name and any(other.builtin and other.name == observer for other in self.plugins)
        return f"{BUILTIN}/{observer}" if shared and not plugin.builtin else observer

    def _load(self, plugin: Plugin) -> None:
        self._forget_answers()
        patience = None if plugin.builtin else self._patience
        with trusted() if patience is None else loading(f"plugin {plugin}", patience) as interrupts:
            try:
                self._register(plugin)
            except BaseException as error:  # SystemExit at import, too
                if error in interrupts:
                    raise
                # pluggy may have registered some hooks of the plugin before the fault was found.
                self._pluggy.unregister(name=plugin.qualified)
                plugin.set_aside(State.BROKEN, in_one_line(error))
                self._forget_answers()
                self._refuse(plugin, error)

    def _forget_answers(self) -> None:
        """Drop what a plugin answered; a coroutine, for which nobody waits, without Python's warning of it."""
        for answer in self._answers:
            if type(answer) is CoroutineType:
                answer.close()
        self._answers.clear()

    def _refuse(self, plugin: Plugin, cause: BaseException | None) -> None:
        """Raise what is wrong with a broken plugin where that is asked for."""
        if self._strict:
            raise PluginError(f"plugin {plugin} is broken: {plugin.reason}") from cause

    def _register(self, plugin: Plugin) -> None:
        """Import a plugin, and check all that it offers."""
        module = resolve(plugin.target)
        if twin := next((name for name, other in self._modules.items() if other is module), None):
            plugin.set_aside(State.DUPLICATE, f"{plugin.target} is loaded as {twin} already")
            return
        hooks = _Hooks(module)
        self._check_run(hooks)
        try:
            self._pluggy.register(hooks, plugin.qualified)
        except pluggy.PluginValidationError as error:  # which argument is wrong stands in its last line
            said = "; ".join(filter(None, map(str.strip, message(error).splitlines())))
            raise PluginError(f"{type(error).__name__}: {said}") from error
        self._check_hooks(hooks)
        answers = itertools.chain.from_iterable(self._answers)
        specs = validate(itertools.islice(answers, MOST_SPECS + 1))
        self._check_collisions(plugin, specs)
        plugin.state, plugin.specs = State.ACTIVE, specs
        self._modules[plugin.qualified] = module

    def _check_run(self, plugin: "_Hooks") -> None:
        """Refuse hooks that are no plain functions, whose call may do nothing without a word, and second ones."""
        found: dict[str, str] = {}
        for name, function in vars(plugin).items():
            options = self._pluggy.parse_hookimpl_opts(plugin, name)
            if options is None:
                continue
            if (first := found.setdefault(hook := options["specname"] or name, name)) != name:
                raise PluginError(f"{first} and {name} are the hook {hook}; wanted: one function for each hook")
            if options["wrapper"] or options["hookwrapper"]:
                raise PluginError(f"{name} is a wrapper; wanted: @ganzoo.hookimpl without arguments")
            if kind := _deferred(function, yields=hook == SPECS):
                raise PluginError(f"{name} is {kind}, which would never run; wanted: a function that returns")

    def _check_hooks(self, plugin: "_Hooks") -> None:
        """Refuse misspelt hooks, and hooks without their decorator: they would never be called, without a warning."""
        callers = self._pluggy.get_hookcallers(plugin) or []
        hooks = {name for name in vars(self._pluggy.hook) if getattr(self._pluggy.hook, name).has_spec()}
        for caller in callers:
            (own,) = (each for each in caller.get_hookimpls() if each.plugin is plugin)
            if not caller.has_spec() and not own.optionalhook:
                raise PluginError(f"unknown hook {caller.name!r}; {did_you_mean(caller.name, hooks)}")
        for name in sorted(hooks.intersection(vars(plugin)).difference(caller.name for caller in callers)):
            raise PluginError(f"{name} is not marked as a hook; wanted: @ganzoo.hookimpl above def {name}")
        if not callers:
            raise PluginError("it has no hook; wanted: one at least, such as ganzoo_specs, under @ganzoo.hookimpl")

    def _check_collisions(self, plugin: Plugin, specs: tuple[Spec, ...]) -> None:
        """Refuse specs that share a ``distribution/name``, or an object, with those of another plugin."""
        at_home = [other for other in self.plugins if other.distribution == plugin.distribution]
        _check_penalties([*(spec for other in at_home for spec in other.specs), *specs])
        for other in self.plugins:
            for theirs in other.specs:
                for ours in specs:
                    if ours is theirs:
                        raise PluginError(f"{ours.kind} {ours.name!r} is the very object of {other.qualified}")
                    same = (ours.kind, ours.name) == (theirs.kind, theirs.name)
                    if same and other.distribution == plugin.distribution:
                        raise PluginError(f"{ours.kind} {ours.name!r} is provided by {other.qualified} already")


def _check_penalties(specs: list[Spec]) -> None:
    """Refuse penalties of one distribution, also in losses, of one name and two classes: it would mean either."""
    classes: dict[str, type[Penalty]] = {}
    for spec in specs:
        for each in spec.penalties if isinstance(spec, Loss) else (spec,) if isinstance(spec, Penalty) else ():
            if (first := classes.setdefault(each.name, type(each))) is not type(each):
                both = f"a {first.__name__} and a {type(each).__name__}"
                raise PluginError(f"penalty {each.name!r} is {both}; wanted: another name for each class")


def _is_strange(plugin: Plugin) -> bool:
    return plugin.state is State.AVAILABLE and not plugin.builtin


def _written_down(plugin: Plugin, hook: str) -> AbstractContextManager[None]:
    if plugin.builtin:
        return nullcontext()
    from ganzoo.zoo.trial import written_down  # 20 ms

    return written_down(plugin, hook)


def _deferred(function: Callable[..., Any], *, yields: bool) -> str:
    """What a function is whose call does nothing yet, in words; empty: it is none."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "async"
    return "" if yields or not inspect.isgeneratorfunction(function) else "a generator (it has a yield)"


class _Hooks:
    """The functions of a plugin's module or object, in an object of ours: theirs may answer anything when compared."""

    def __init__(self, module: Any) -> None:
        found = {name: getattr(module, name, None) for name in dir(module) if not name.startswith("__")}
        # pluggy looks into each attribute, which takes longer for all than the import of a small plugin does.
        vars(self).update(
            {name: each for name, each in found.items() if name.startswith("ganzoo_") or inspect.isroutine(each)}
        )


def resolve(target: str) -> Any:
    """Import what ``module`` or ``module:attribute`` names; exceptions of the import are not caught."""
    module, _, attribute = target.partition(":")
    found: Any = importlib.import_module(module)
    for part in filter(None, attribute.split(".")):
        found = getattr(found, part)
    return found
