"""Versions of the registry in the order of a figure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ganzoo.records.best import AUTOMATIC, BESIDE, check_best, names
from ganzoo.records.evaluation import Evaluation, evaluations
from ganzoo_registry import Registry, Version
from ganzoo_registry.errors import telling


@dataclass(frozen=True)
class Ranked:
    """A version, and the figure that it was sorted by.

    Args:
        figure: the figure's name.
        figures: its mean over sample seeds, by the key of the protocol: figures of two protocols are not comparable.
        beside: figure -> its means, likewise, of what is shown beside the one that sorts.
    """

    version: Version
    figure: str
    figures: Mapping[str, float]
    beside: Mapping[str, Mapping[str, float]]


def by_figure(
    store: Registry,
    versions: Sequence[Version],
    figure: str,
    better: Mapping[str, str],
    damaged: Callable[[Exception], None],
) -> list[Ranked]:
    """``versions`` with their figures, the best first, by the protocol that most of them have; those without it last.

    Args:
        figure: a figure's name, of several the first; empty: the ``best`` of the newest version's training.
        better: see ``Zoo.figures``.
        damaged: is given the error of a damaged evaluation, which is then left out.

    Raises:
        UsageError: no metric has such a figure, or it has no better side.
    """
    if figure:
        check_best(figure, better)
    found = {version: evaluations(store, version, damaged) for version in versions}
    figure = names(figure)[0] if figure else _default(store, found, damaged)
    beside = [BESIDE[figure]] if figure in BESIDE else []
    ranked = [
        Ranked(version, figure, _means(of, figure), {name: _means(of, name) for name in beside})
        for version, of in found.items()
    ]
    order = protocols(ranked)
    sign = -1 if better.get(figure) == "higher" else 1

    def place(each: Ranked) -> tuple[tuple[bool, float], ...]:
        return tuple((key not in each.figures, sign * each.figures.get(key, 0.0)) for key in order)

    return sorted(ranked, key=place)


def protocols(ranked: Sequence[Ranked]) -> list[str]:
    """The keys of all protocols, the one that most versions have first."""
    counts = Counter(key for each in ranked for key in each.figures)
    return sorted(counts, key=lambda key: (-counts[key], key))


def _means(of: Mapping[str, Evaluation], figure: str) -> dict[str, float]:
    return {key: each.figures[figure].mean for key, each in of.items() if figure in each.figures}


def _default(
    store: Registry, found: Mapping[Version, Mapping[str, Evaluation]], damaged: Callable[[Exception], None]
) -> str:
    newest, best = max(found, key=lambda version: version.created, default=None), ""
    if newest:
        with telling(damaged):
            config = store.lineage(newest).get("config")
            best = str(config.get("best", "")) if isinstance(config, Mapping) else ""
    there = {name for of in found.values() for each in of.values() for name in each.figures}
    automatic = [names(order)[0] for order in AUTOMATIC]
    return names(best)[0] if best else next((name for name in automatic if name in there), automatic[0])
