"""Which of several evaluations is the best: by the figures that the configuration's ``best`` names."""

from collections.abc import Mapping
from typing import TypeVar

from ganzoo.errors import UsageError, did_you_mean

Key = TypeVar("Key", int, str)

AUTOMATIC = ("fd", "modes,good")
"""Values that an empty ``best`` may stand for: the first whose figures an evaluation has."""

BESIDE = {"accuracy": "least_class_deviation"}
"""Figure -> the one that is shown beside it wherever it stands alone: one image a class has an accuracy of 1."""


def names(best: str) -> list[str]:
    """``"modes, good"`` -> ``["modes", "good"]``: the figure that decides, and the one that decides among equals."""
    return [name.strip() for name in best.split(",")]


def check_best(best: str, better: Mapping[str, str]) -> None:
    """Refuse figures by which no evaluation is better than another.

    Args:
        best: names of figures, separated by commas; empty: see ``AUTOMATIC``.
        better: figure -> ``lower``, ``higher`` or nothing: which is better; see ``Zoo.figures``.

    Raises:
        UsageError: no metric gives such a figure, or it has no better side.
    """
    for name in names(best) if best else ():
        if not better.get(name):
            reason = "has no better side" if name in better else "is no figure of any metric"
            raise UsageError(f"{name!r} {reason}", hint=did_you_mean(name, [name for name in better if better[name]]))


class Ranking:
    """An order of evaluations: by one figure and, among equals, by the next.

    Args:
        best, better: see ``check_best``; a figure that no installed metric gives ranks nothing.
    """

    def __init__(self, best: str, better: Mapping[str, str]) -> None:
        self._asked = names(best) if best else []
        self._orders = [names(order) for order in ([best] if best else AUTOMATIC)]
        self._better = better

    def place(self, figures: Mapping[str, float]) -> tuple[float, ...] | None:
        """A key that sorts before those of worse evaluations; None: these figures cannot be ranked.

        They cannot if a figure that should be high is 0: nothing was found, no mode or no good sample, say.
        """
        deciding = self._deciding(figures)
        if not deciding or (self._better[deciding[0]] == "higher" and figures[deciding[0]] == 0):
            return None
        return tuple(-figures[name] if self._better[name] == "higher" else figures[name] for name in deciding)

    def missing(self, figures: Mapping[str, float]) -> str:
        """The figure that was asked for by name, and that these lack: none of the kind will ever be the best."""
        return next((name for name in self._asked if name not in figures), "")

    def best(self, evaluations: Mapping[Key, Mapping[str, float]]) -> Key | None:
        """The key of the best evaluation, or of the first among equals; None: none can be ranked."""
        places = {key: place for key, figures in evaluations.items() if (place := self.place(figures)) is not None}
        return min(places, key=lambda key: (places[key], key), default=None)

    def since_best(self, evaluations: Mapping[int, Mapping[str, float]]) -> int:
        """How many evaluations, which are given by step, came after the best one; 0 if none can be ranked."""
        best = self.best(evaluations)
        return 0 if best is None else sum(step > best for step in evaluations)

    def reason(self, figures: Mapping[str, float]) -> str:
        """The figures that decide, and what is shown beside them, for a person: ``fd 8.42``."""
        deciding = self._deciding(figures)
        beside = [BESIDE[name] for name in deciding if BESIDE.get(name) in figures]
        return ", ".join(f"{name} {figures[name]:.4g}" for name in dict.fromkeys([*deciding, *beside]))

    def _deciding(self, figures: Mapping[str, float]) -> list[str]:
        """The names of the figures that are compared; empty if the first is missing."""
        for order in self._orders:
            if order[0] in figures:
                return [name for name in order if name in figures and self._better.get(name)]
        return []
