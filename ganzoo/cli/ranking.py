"""``ganzoo registry ls --sort``: versions in the order of a figure."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from ganzoo.cli.output import table
from ganzoo.errors import ExitCode, GanzooError, UsageError, did_you_mean
from ganzoo.specs import Metric
from ganzoo.zoo import zoo

if TYPE_CHECKING:
    from ganzoo_registry import Registry, Version


def ranked(store: "Registry", versions: list[dict[str, Any]], figure: str) -> tuple[list[dict[str, Any]], int]:
    """``versions`` with ``figures``: protocol key -> mean, the best first, those without it last; and the exit code.

    A damaged evaluation is reported, and hides no other.

    Raises:
        UsageError: no metric has such a figure, or it has no better side.
    """
    better = {name: way for metric in zoo().all(Metric) for name, way in metric.figures.items()}
    if not better.get(figure):
        choices = [name for name, way in better.items() if way]
        reason = "has no better side" if figure in better else "is no figure of any metric"
        raise UsageError(f"{figure!r} {reason}", hint=did_you_mean(figure, choices))
    found, code = [], int(ExitCode.OK)
    for version in versions:
        figures, damage = _means(store, store.resolve(version["version"]), figure)
        found.append({**version, "figure": figure, "figures": figures})
        code = damage or code
    columns = _columns(found)
    sign = -1 if better[figure] == "higher" else 1

    def place(version: dict[str, Any]) -> tuple[Any, ...]:
        return tuple((key not in version["figures"], sign * version["figures"].get(key, 0)) for key in columns)

    return sorted(found, key=place), code


def _means(store: "Registry", version: "Version", figure: str) -> tuple[dict[str, float], int]:
    """Protocol key -> mean of a figure, and the exit code of what was damaged."""
    from ganzoo.cli.failures import report
    from ganzoo.evaluation.record import attached, keys
    from ganzoo_registry import RegistryError

    means, code = {}, 0
    for key in keys(store, version):
        try:
            evaluation = attached(store, version, key)
        except (GanzooError, RegistryError) as error:
            code = report(error)
            continue
        if evaluation and figure in evaluation.figures:
            means[key] = evaluation.figures[figure].mean
    return means, code


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
