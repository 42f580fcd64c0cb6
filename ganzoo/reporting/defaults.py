"""Which settings of a training are not its model's own."""

from collections.abc import Mapping
from typing import Any

from ganzoo.config import flat
from ganzoo.config.run import OF_THE_HARDWARE
from ganzoo.config.tables import same
from ganzoo.errors import GanzooError
from ganzoo.zoo.names import zoo
from ganzoo.zoo.recipe import resolve

_SETTLED = OF_THE_HARDWARE | {"device", "precision"}
"""Keys whose defaults are settled when a training begins: what was recorded always differs."""


def departures(config: Mapping[str, Any]) -> dict[str, tuple[Any, Any]] | None:
    """The settings that differ from what the model trains with by default at that size.

    Args:
        config: a resolved configuration, as runs and versions record it.

    Returns:
        Dotted key -> (default, value); a default is empty where there is none. None: no plugin here has the model.
    """
    try:
        defaults = flat(resolve(zoo(), str(config["model"]), {"size": config["size"]}).config.to_dict())
    except GanzooError:
        return None
    pairs = {key: (defaults.get(key, ""), value) for key, value in flat(config).items() if key not in _SETTLED}
    return {key: pair for key, pair in pairs.items() if not same(*pair)}
