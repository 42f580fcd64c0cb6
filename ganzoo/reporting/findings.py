"""What a report shows of a training and its results: curves, and evaluations, those of one protocol side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from ganzoo.evaluation import tables
from ganzoo.records.best import Ranking
from ganzoo.reporting.curves import chart, curve
from ganzoo.reporting.markup import paragraph, side_by_side, table
from ganzoo.reporting.scale import drawable
from ganzoo.reporting.subject import RATE, SECONDS, Subject

TITLES = {
    "loss": "Losses",
    "grad_norm": "Gradient norms",
    RATE: "Images per second",
    "variety": "Variety of images (1: real ones)",
    "spread": "Spread of images (1: real ones)",
    "class_spread": "Spread within classes relative to that of all images (1: real ones)",
    "critic_accuracy": "Critic's accuracy (1: saturated)",
}
"""Name of a metric, or what its name begins with -> title of its chart."""


def curves(subjects: Sequence[Subject]) -> list[str]:
    """Charts of what was logged: of one run, metrics that belong together share one; of several, each has one."""
    keys = list(dict.fromkeys(key for each in subjects for entry in each.reports for key in entry))
    keys = [key for key in keys if key not in ("step", SECONDS)]  # an axis, and nearly a straight line
    if len(subjects) == 1:
        groups: dict[str, list[str]] = {}
        for key in keys:
            groups.setdefault(_group(key), []).append(key)
        charts = [
            chart(TITLES.get(group, group), [curve(key, subjects[0].reports, key) for key in members])
            for group, members in groups.items()
        ]
    else:
        charts = [
            chart(TITLES.get(key, key), [curve(each.name, each.reports, key) for each in subjects]) for key in keys
        ]
    bare = [each.name for each in subjects if not each.reports]
    remark = f"Without curves, which belong to a run and not to a registered version: {', '.join(bare)}."
    return [side_by_side("charts", charts), paragraph(remark) if keys and bare else ""]


def _group(key: str) -> str:
    """``loss_d`` -> ``loss``, ``grad_norm_g`` -> ``grad_norm``: metrics of both networks share a chart."""
    prefix = key.rpartition("_")[0]
    return prefix if prefix and key not in TITLES else key


def history(subjects: Sequence[Subject], better: Mapping[str, str]) -> list[str]:
    """Evaluations during training, separately for each protocol: curves of the figures, and a table."""
    parts = []
    rankings = {each.name: Ranking(each.best, better) for each in subjects}
    for protocol in dict.fromkeys(str(entry["protocol"]) for each in subjects for entry in each.history):
        found = {each.name: entries for each in subjects if (entries := _evaluated(each, protocol))}
        figures = list(dict.fromkeys(key for entries in found.values() for entry in entries for key in entry))[1:]
        if max(map(len, found.values())) > 1:
            charts = (_progress(figure, found, better, len(subjects) == 1) for figure in figures)
            parts.append(side_by_side("charts", charts))
        parts.append(
            _steps(protocol, found, figures, rankings)
            if len(subjects) == 1
            else _bests(protocol, found, figures, rankings)
        )
    return parts


Evaluated = Mapping[str, Sequence[Mapping[str, Any]]]
"""Subject -> its evaluations by one protocol: ``step``, then figures."""


def _evaluated(subject: Subject, protocol: str) -> list[dict[str, Any]]:
    return [{"step": each["step"], **each["figures"]} for each in subject.history if each["protocol"] == protocol]


def _progress(figure: str, found: Evaluated, better: Mapping[str, str], alone: bool) -> str:
    lines = [curve(figure if alone else who, entries, figure) for who, entries in found.items()]
    return chart(figure, lines, f"{better[figure]} is better" if better.get(figure) else "")


def _steps(protocol: str, found: Evaluated, figures: Sequence[str], rankings: Mapping[str, Ranking]) -> str:
    ((who, entries),) = found.items()
    best = _best(entries, rankings[who])
    rows = [
        [f"{entry['step']:,}{', the best' if entry is best else ''}", *(_number(entry.get(name)) for name in figures)]
        for entry in entries
    ]
    return table(f"By protocol {protocol}", ["step", *figures], rows)


def _bests(protocol: str, found: Evaluated, figures: Sequence[str], rankings: Mapping[str, Ranking]) -> str:
    best = {who: _best(entries, rankings[who]) or entries[-1] for who, entries in found.items()}
    header = ["figure", *(f"{who}, step {entry['step']:,}" for who, entry in best.items())]
    rows = [[name, *(_number(entry.get(name)) for entry in best.values())] for name in figures]
    return table(f"The best of each, by protocol {protocol}", header, rows)


def _best(entries: Sequence[Mapping[str, Any]], ranking: Ranking) -> Mapping[str, Any] | None:
    """The best of one training's evaluations; None where none can be ranked."""
    place = ranking.best(dict(enumerate(entries)))
    return None if place is None else entries[place]


def _number(value: object) -> str:
    return "" if (number := drawable(value)) is None else tables.number(number)


def evaluations(subjects: Sequence[Subject], better: Mapping[str, str]) -> list[str]:
    """Tables of the evaluations attached to versions, one for each protocol."""
    parts = []
    attached = {version: found for each in subjects for version, found in each.evaluations.items()}
    for key in dict.fromkeys(key for each in attached.values() for key in each):
        found = {version: each[key] for version, each in attached.items() if key in each}
        header, rows = tables.rows(found, better)
        parts.append(table(f"By protocol {key}", [name.lower() for name in header], rows))
        parts += map(paragraph, tables.remarks(found))
    return parts
