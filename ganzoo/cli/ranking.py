"""``ganzoo registry ls --sort``: versions in the order of a figure."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from ganzoo.cli.output import table
from ganzoo.errors import UsageError, did_you_mean
from ganzoo.specs import Metric
from ganzoo.zoo import zoo

if TYPE_CHECKING:
    from ganzoo_registry import Registry


def ranked(store: "Registry", versions: list[dict[str, Any]], figure: str) -> list[dict[str, Any]]:
    """``versions`` with ``figures``: protocol key -> mean, the best first, those without it last.

    Raises:
        UsageError: no metric has such a figure.
    """
    from ganzoo.evaluation.record import attached

    better = {name: way for metric in zoo().all(Metric) for name, way in metric.figures.items()}
    if figure not in better:
        raise UsageError(f"no metric has a figure {figure!r}", hint=did_you_mean(figure, better))
    found = []
    for version in versions:
        evaluations = attached(store, store.resolve(version["version"]))
        means = {each.protocol.key: each.figures[figure].mean for each in evaluations if figure in each.figures}
        found.append({**version, "figure": figure, "figures": means})
    columns = _columns(found)
    sign = -1 if better[figure] == "higher" else 1

    def place(version: dict[str, Any]) -> tuple[Any, ...]:
        return tuple((key not in version["figures"], sign * version["figures"].get(key, 0)) for key in columns)

    return sorted(found, key=place)


def listing(versions: list[dict[str, Any]], figure: str) -> str:
    """A table with a column a protocol."""
    columns = _columns(versions)
    header = ["VERSION", *(f"{figure.upper()} ({key})" for key in columns), "ALIASES"]
    rows = [
        [
            version["version"],
            *(f"{version['figures'][key]:.4g}" if key in version["figures"] else "" for key in columns),
            ", ".join(version["aliases"]),
        ]
        for version in versions
    ]
    return table(header, rows)


def _columns(versions: list[dict[str, Any]]) -> list[str]:
    """Protocols, the one that most versions have first."""
    counts = Counter(key for version in versions for key in version["figures"])
    return sorted(counts, key=lambda key: (-counts[key], key))
