"""Names -> specs -> objects.

The first rule that applies decides what a name means: ``distribution/name`` is exact; what a plugin's own
model refers to is that distribution's own; a bare name that a built-in has is the built-in's, so that installing
a plugin never changes what a script means; a bare name that only one plugin has is that plugin's.
"""

from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

from ganzoo.errors import NotFoundError, PluginError, did_you_mean, missing_package
from ganzoo.specs import Loss, Metric, Spec
from ganzoo.zoo.discovery import BUILTIN, Manager, Plugin, State, discover, normalise, resolve, unknown_names
from ganzoo.zoo.foreign import called, contained, in_one_line, warn
from ganzoo.zoo.installed import spare_others

SpecT = TypeVar("SpecT", bound=Spec)
NamedT = TypeVar("NamedT", bound="Spec | Plugin")

RUN_HOOKS = ("ganzoo_run_started", "ganzoo_report", "ganzoo_evaluated", "ganzoo_run_ended")

_UNUSABLE = (State.BROKEN, State.DISABLED, State.INCOMPATIBLE)


class Zoo:
    """Everything that the loaded plugins provide, by name."""

    def __init__(self, manager: Manager) -> None:
        self.manager = manager
        provided = [(spec, plugin) for plugin in manager.plugins for spec in plugin.specs]
        known = {(type(spec), spec.name) for spec, _ in provided}
        for loss, plugin in provided.copy():  # a penalty that only a loss provides can be configured as well
            for penalty in loss.penalties if isinstance(loss, Loss) else ():
                if (type(penalty), penalty.name) not in known:
                    known.add((type(penalty), penalty.name))
                    provided.append((penalty, plugin))
        self._provided = sorted(provided, key=lambda pair: (not pair[1].builtin, pair[1].distribution, pair[0].name))

    def all(self, kind: type[SpecT]) -> list[SpecT]:
        """Every spec of a kind: built-ins first, then by distribution; by name within."""
        return [spec for spec, _ in self._provided if isinstance(spec, kind)]

    def get(self, kind: type[SpecT], name: str, *, home: str | None = None) -> SpecT:
        """The spec that a name stands for.

        Args:
            kind: ``Model``, ``Loss`` …
            name: ``name`` or ``distribution/name``.
            home: the distribution whose model refers to ``name``, if one does.

        Raises:
            NotFoundError: nothing has that name, or two plugins that are not built-in have it.
            PluginError: the plugin that it should come from cannot be used.
        """
        found = _meant(kind.kind, name, [(spec, self.owner(spec).distribution) for spec in self.all(kind)], home)
        if found is None:
            raise self._unknown(kind, name)
        return found

    def owner(self, spec: Spec) -> Plugin:
        """The plugin that provides a spec, or the one that it is a changed copy of (``dataclasses.replace``).

        Raises:
            LookupError: no plugin provides it.
        """
        same = [plugin for known, plugin in self._provided if known is spec]
        alike = [plugin for known, plugin in self._provided if (type(known), known.name) == (type(spec), spec.name)]
        if not alike:
            raise LookupError(f"no plugin provides the {spec.kind} {spec.name!r}")
        return (same or alike)[0]

    def qualified(self, spec: Spec) -> str:
        """``distribution/name``."""
        return f"{self.owner(spec).distribution}/{spec.name}"

    def call(self, spec: Spec, target: str, *arguments: Any) -> Any:
        """What the function that a spec's ``target`` names returns; a failure of somebody else's code names its plugin.

        Raises:
            PluginError: it cannot be imported, or fails.
            GanzooError: what it raises of ganzoo's own errors.
        """
        function, owner = load_target(target), self.owner(spec)
        if owner.builtin:
            return function(*arguments)
        return called(f"{spec.kind} {spec.name!r} of plugin {owner}", function, *arguments)

    def shortest(self, spec: Spec) -> str:
        """The name that people type: the bare one if it means this spec, else the qualified one."""
        named = [other for other in self.all(Spec) if (other.kind, other.name) == (spec.kind, spec.name)]
        return spec.name if len(named) == 1 or self.owner(spec).builtin else self.qualified(spec)

    def metrics(self) -> dict[str, Metric]:
        """Every metric by qualified name, built-ins first; one that gives a figure of another is left out and named."""
        found: dict[str, Metric] = {}
        giver: dict[str, str] = {}
        for metric in self.all(Metric):
            name = self.qualified(metric)
            if taken := next((figure for figure in metric.figures if figure in giver), None):
                warn(f"metric {name} gives {taken!r}, and so does {giver[taken]}; {name} is left out")
                continue
            found[name] = metric
            giver |= dict.fromkeys(metric.figures, name)
        return found

    def figures(self) -> dict[str, str]:
        """Every figure that a metric may give -> ``lower``, ``higher`` or nothing: which is better."""
        return {name: better for metric in self.metrics().values() for name, better in metric.figures.items()}

    def bounds(self) -> dict[str, tuple[float, float]]:
        """Figures that cannot have every value -> the least and the greatest value that each can have."""
        return {name: ends for metric in self.metrics().values() for name, ends in metric.bounds.items()}

    def observer(self, name: str) -> str:
        """The exact name of the plugin that ``name`` asks for, bare if it is built-in; it must watch runs.

        Raises:
            NotFoundError: no active plugin of that name watches runs, or two that are not built-in have it.
        """
        known = dict.fromkeys(plugin for hook in RUN_HOOKS for plugin in self.manager.watching(hook))
        plugin = _meant("observer", name, [(plugin, plugin.distribution) for plugin in known])
        if plugin is None:
            hint = did_you_mean(name, {plugin.qualified if "/" in name else plugin.name for plugin in known})
            raise NotFoundError(f"unknown observer {name!r}", hint=hint)
        return plugin.name if plugin.builtin else plugin.qualified

    def culprit(self, error: BaseException) -> Plugin | None:
        """Somebody else's plugin whose code ``error`` was raised in, or passed through; the innermost one."""
        theirs = {_package(plugin.target): plugin for plugin in self.manager.plugins if not plugin.builtin}
        found, trace = None, error.__traceback__
        while theirs and trace is not None:
            found = theirs.get(_package(str(trace.tb_frame.f_globals.get("__name__"))), found)
            trace = trace.tb_next
        return found

    def _unknown(self, kind: type[Spec], name: str) -> NotFoundError | PluginError:
        """The error for a name that nothing has: about its plugin, as far as that can be guessed, or about the name."""
        distribution, _, bare = name.rpartition("/")
        alive = {plugin.distribution for plugin in self.manager.plugins if plugin.state is State.ACTIVE}
        broken = [plugin for plugin in self.manager.plugins if plugin.state is State.BROKEN]
        for plugin in self.manager.plugins:
            home = plugin.distribution
            asked = home == normalise(distribution) if distribution else bare in (plugin.name, home)
            if plugin.state in _UNUSABLE and asked and (plugin.name == bare or home not in alive):
                return PluginError(
                    f"{kind.kind} {name!r} should come from plugin {plugin}, which is {plugin.state}: {plugin.reason}",
                    hint="see: ganzoo plugins",
                )
        known = self.all(kind)
        hint = did_you_mean(name, map(self.qualified if distribution else self.shortest, known))
        if broken:
            hint += f"; broken plugins: {', '.join(plugin.qualified for plugin in broken)} (see: ganzoo plugins)"
        return NotFoundError(f"unknown {kind.kind} {name!r}", hint=hint)


def _meant(kind: str, name: str, known: Iterable[tuple[NamedT, str]], home: str | None = None) -> NamedT | None:
    """What a name stands for, by the rules above; None: nothing has it.

    Args:
        kind: what it is a name of.
        known: what there is of that kind, each with its distribution.
        home: the distribution whose own come first.

    Raises:
        NotFoundError: several have it; the hint has their exact names.
    """
    distribution, _, bare = name.rpartition("/")

    def of(wanted: str | None) -> list[tuple[NamedT, str]]:
        return [(each, owner) for each, owner in named if owner == wanted]

    named = [(each, owner) for each, owner in known if each.name == bare]
    meant = of(normalise(distribution)) if distribution else of(home) or of(BUILTIN) or named
    if len(meant) > 1:
        names = ", ".join(f"{owner}/{each.name}" for each, owner in meant)
        raise NotFoundError(f"{kind} {name!r} is provided by more than one plugin", hint=f"choose one of: {names}")
    return meant[0][0] if meant else None


def _package(target: str) -> str:
    """The top package of a module or of an attribute of it."""
    return target.partition(":")[0].partition(".")[0]


@cache
def zoo() -> Zoo:
    """The installed plugins, loaded when first asked for; a plugin that would end this process is not."""
    plugins = discover()
    for name in unknown_names(plugins):
        warn(f"GANZOO_PLUGINS names {name!r}, which is not installed.")
    spare_others(plugins)
    if all(plugin.builtin for plugin in plugins):
        return Zoo(Manager(plugins))
    from ganzoo.zoo.trial import tried  # 20 ms

    with tried(plugins):
        return Zoo(Manager(plugins))


def culprit(error: BaseException) -> Plugin | None:
    """See ``Zoo.culprit``; None, too, where no plugins were loaded."""
    return zoo().culprit(error) if zoo.cache_info().currsize else None


def load_target(target: str) -> Any:
    """The object behind one of a spec's ``"module:attribute"`` strings.

    Raises:
        PluginError: the module cannot be imported or lacks the attribute; names the spec and its plugin.
        MissingPackageError: it needs one of ganzoo's dependencies, which is not installed.
    """
    declared = _declared_by(target)
    with contained(f"{target}{declared}") as interrupts:
        try:
            return resolve(target)
        except BaseException as error:
            if error in interrupts:
                raise
            if isinstance(error, ImportError) and (missing := missing_package(error)):
                raise missing from error
            raise PluginError(
                f"{target}{declared} cannot be loaded: {in_one_line(error)}",
                hint="that is for the plugin's author to repair; ganzoo plugins lists what is installed",
            ) from error


def _declared_by(target: str) -> str:
    for spec in zoo().all(Spec):
        if target in (getattr(spec, field.name) for field in fields(spec)):
            return f" ({spec.kind} {spec.name!r} of plugin {zoo().owner(spec)})"
    return ""
