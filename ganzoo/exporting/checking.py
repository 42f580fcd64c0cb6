"""Tries whether every installed architecture can still be exported: after an update of torch or of a plugin, say."""

from collections.abc import Callable

from ganzoo.errors import GanzooError, described
from ganzoo.exporting.preflight import preflight
from ganzoo.specs import Architecture, ImageShape
from ganzoo.zoo.names import zoo

_CLASSES = 3


def check_all(seen: Callable[[int, int], None]) -> dict[str, str]:
    """Take the untrained generator of each architecture, at its least size, through conversion and gates.

    Args:
        seen: is called with how many were tried, and how many there are.

    Returns:
        Architecture -> what stands in its way; empty: nothing does.
    """
    specs, found = zoo().all(Architecture), {}
    for number, spec in enumerate(specs, 1):
        size = min(spec.resolutions)
        classes = _CLASSES if spec.conditional else 0
        shape = ImageShape(channels=spec.channels[0], height=size, width=size, classes=classes)
        try:
            preflight(spec, shape, spec.options())
        except GanzooError as error:
            found[spec.name] = described(error)
        else:
            found[spec.name] = ""
        seen(number, len(specs))
    return found
