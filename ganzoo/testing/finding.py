"""Which plugins are checked."""

from ganzoo.errors import NotFoundError, did_you_mean
from ganzoo.zoo.installed import Plugin, normalise
from ganzoo.zoo.names import zoo


def find_plugin(name: str) -> Plugin:
    """The plugin that a name stands for.

    Args:
        name: ``name`` or ``distribution/name``.

    Raises:
        NotFoundError: nothing has that name, or two plugins have it.
    """
    found = [plugin for plugin in zoo().manager.plugins if name in (plugin.name, plugin.qualified)]
    # A built-in owns its bare name, as in ``ganzoo.zoo.names``.
    found = [plugin for plugin in found if plugin.builtin] or found
    if not found:
        known = {each for plugin in zoo().manager.plugins for each in (plugin.name, plugin.qualified)}
        at_home = [p.qualified for p in zoo().manager.plugins if p.distribution == normalise(name)]
        hint = f"plugins of {name}: {', '.join(at_home)}" if at_home else did_you_mean(name, known)
        raise NotFoundError(f"no plugin {name!r} is installed", hint=hint)
    if len(found) > 1:
        names = ", ".join(plugin.qualified for plugin in found)
        raise NotFoundError(f"two plugins are called {name!r}", hint=f"choose one of: {names}")
    return found[0]


def third_party() -> list[Plugin]:
    """Every plugin that does not come with ganzoo."""
    return [plugin for plugin in zoo().manager.plugins if not plugin.builtin]


def checked_with(plugin: Plugin) -> list[Plugin]:
    """The plugins that may be checked by the same settings: a built-in alone, any other among its like."""
    together = third_party()
    return together if plugin in together else [plugin]
