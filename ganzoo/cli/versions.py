"""Versions of the registry as a person reads them: lists, the page of one, and how two differ."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ganzoo.cli.output import age, amount
from ganzoo.cli.tables import listing, table
from ganzoo.files import flatten

if TYPE_CHECKING:
    from ganzoo.records.catalogue import Entry
    from ganzoo.records.evaluation import Evaluation
    from ganzoo.records.ranking import Ranked

SPARED = ("LOSS", "PIXELS", "STEPS", "TAGS", "BYTES", "DATA", "MODEL")
"""Columns that a narrow terminal does without, the first ones first."""


def data(entry: "Entry") -> dict[str, Any]:
    """An entry as JSON."""
    version = entry.version
    return {
        **{name: value for name, value in asdict(entry).items() if name != "version"},
        "version": str(version),
        "name": version.name,
        "number": version.number,
        "digest": version.digest,
        "created": version.created,
    }


def listed(entries: "Sequence[Entry]") -> str:
    """A row a version; a figure of another protocol than most have says so."""
    counts = Counter(entry.protocol for entry in entries if entry.protocol)
    usual = max(counts, key=lambda protocol: counts[protocol], default="")
    figure = next((entry.figure for entry in entries if entry.figure), "fd")
    header = ("VERSION", "MODEL", "LOSS", "DATA", "PIXELS", "STEPS", figure.upper(), "BYTES", "AGE", "ALIASES", "TAGS")
    rows = [
        (
            str(entry.version),
            entry.model,
            entry.loss,
            entry.data,
            entry.pixels,
            f"{entry.steps:,}" if entry.steps else "",
            _figure(entry, usual),
            amount(entry.size),
            age(time.time() - _seconds(entry.version.created)),
            ", ".join(entry.aliases),
            ", ".join(entry.tags),
        )
        for entry in entries
    ]
    return table(header, rows, dispensable=SPARED)


def _figure(entry: "Entry", usual: str) -> str:
    if entry.value is None:
        return ""
    return f"{entry.value:.4g}" + (f" ({entry.protocol})" if entry.protocol != usual else "")


def ranking(ranked: "Sequence[Ranked]", entries: "Sequence[Entry]") -> str:
    """A table with one column for each protocol, and one more for what is shown beside the figure."""
    from ganzoo.records.ranking import protocols

    figures = {ranked[0].figure: [each.figures for each in ranked]} if ranked else {}
    for name in ranked[0].beside if ranked else ():
        figures[name] = [each.beside[name] for each in ranked]
    columns = [(name, key) for key in protocols(ranked) for name in figures]
    rows = [
        [
            str(entry.version),
            *(f"{figures[name][place][key]:.4g}" if key in figures[name][place] else "" for name, key in columns),
            ", ".join(entry.aliases),
        ]
        for place, entry in enumerate(entries)
    ]
    return table(["VERSION", *(f"{name.upper()} ({key})" for name, key in columns), "ALIASES"], rows)


def page(
    entry: "Entry",
    kinds: Mapping[str, Mapping[str, Any]],
    lineage: Mapping[str, Any],
    evaluations: "Sequence[Evaluation]",
) -> str:
    """All that is known of a version."""
    version = entry.version
    facts = {
        "version": str(version),
        "aliases": ", ".join(entry.aliases),
        "tags": ", ".join(entry.tags),
        "note": entry.note,
        "registered": f"{moment(version.created)}, {age(time.time() - _seconds(version.created))} ago",
        "digest": version.digest,
        "model": entry.model,
        "loss": entry.loss,
        "data": entry.data,
        "pixels": entry.pixels,
        "steps": f"{entry.steps:,}" if entry.steps else "",
        "bytes": amount(entry.size),
    }
    files = [(kind, amount(blob["size"]), blob["digest"]) for kind, blob in kinds.items()]
    parts = [listing((name, fact) for name, fact in facts.items() if fact)]
    parts += [_figures(evaluation) for evaluation in evaluations]
    parts += [table(("KIND", "BYTES", "DIGEST"), files)]
    parts += [table(("LINEAGE", ""), [(key, plain(value)) for key, value in flatten(lineage)])]
    return "\n\n".join(parts)


def _figures(evaluation: "Evaluation") -> str:
    rows = [
        (name, f"{figure.mean:.4g}", f"{evaluation.floor[name]:.4g}" if name in evaluation.floor else "")
        for name, figure in evaluation.figures.items()
    ]
    return f"{table(('FIGURE', 'MEAN', 'REAL IMAGES'), rows)}\n{evaluation.protocol}"


def compared(names: tuple[str, str], rows: Sequence[tuple[str, Any, Any]]) -> str:
    """In what two versions differ."""
    return table(("WHAT", *names), [(what, plain(one), plain(other)) for what, one, other in rows])


def plain(value: Any) -> str:
    """A value for a person, as TOML writes words and numbers; ``-`` where there is none."""
    match value:
        case None | "" | []:
            return "-"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.6g}"
        case list():
            return ", ".join(map(plain, value))
        case Mapping():
            return ", ".join(f"{key} {plain(each)}" for key, each in value.items()) or "-"
    return str(value)


def moment(timestamp: str) -> str:
    """A stored timestamp to the second, in UTC."""
    return timestamp[:19].replace("T", " ") + " UTC"


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()
