"""Evaluations for people: a table, a plot in text or as a picture, Markdown."""

from collections.abc import Mapping
from typing import Any

from ganzoo.errors import UsageError
from ganzoo.records.evaluation import Evaluation, Figure

REAL = "real images"
PLOT_WIDTH = 48

Evaluations = Mapping[str, Evaluation]
"""Name of what was evaluated -> its figures."""


def check_comparable(evaluations: Evaluations) -> None:
    """Refuse to put figures of different protocols into one table.

    Raises:
        UsageError: two protocols differ; names both subjects.
    """
    (first, one), *others = evaluations.items()
    for name, other in others:
        if other.protocol.key != one.protocol.key:
            raise UsageError(
                f"the figures of {first} and {name} were not made alike: {one.protocol} | {other.protocol}",
                hint="evaluate both by one protocol: ganzoo eval --compare " + f"{first} {name}",
            )


def rows(evaluations: Evaluations, better: Mapping[str, str]) -> tuple[list[str], list[list[str]]]:
    """A header, and a row for each figure: every subject's mean and interval, what real images score, what is better.

    Raises:
        UsageError: the figures were not made alike.
    """
    check_comparable(evaluations)
    floor = next(iter(evaluations.values()))
    header = ["FIGURE", *evaluations, f"{REAL.upper()} (n={floor.floor_n:,})", "BETTER"]
    lines = [
        [
            name,
            *(shown(each.figures[name]) if name in each.figures else "" for each in evaluations.values()),
            number(floor.floor[name]) if name in floor.floor else "",
            better.get(name, ""),
        ]
        for name in _names(evaluations)
    ]
    return header, lines


def shown(figure: Figure) -> str:
    """``25.3 [24.8, 25.9]``: the mean and its interval."""
    if figure.low is None or figure.high is None:
        return number(figure.mean)
    return f"{number(figure.mean)} [{number(figure.low)}, {number(figure.high)}]"


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value + 0.0:.4g}"  # + 0.0: there is no minus zero for a person


def markdown(evaluations: Evaluations, better: Mapping[str, str]) -> str:
    """The table in Markdown, with its protocol and notes."""
    header, lines = rows(evaluations, better)
    table = [f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *lines]]
    return "\n".join([*table, "", *remarks(evaluations), ""])


def remarks(evaluations: Evaluations) -> list[str]:
    """The protocol, and each subject's notes."""
    protocol = next(iter(evaluations.values())).protocol
    notes = [f"Note: {name}: {note}." for name, each in evaluations.items() for note in each.notes]
    intervals = ["Intervals: 95 %, over sample seeds."] if len(protocol.seeds) > 1 else []
    return [f"{protocol}.", *intervals, *notes]


def plot(evaluations: Evaluations, better: Mapping[str, str]) -> str:
    """A plot in text: for each figure and subject a line with the interval, and the mean in it."""
    width = max(len(name) for name in [*evaluations, REAL])
    blocks = []
    for name in _names(evaluations):
        points = _points(evaluations, name)
        low = min(figure.mean if figure.low is None else figure.low for figure in points.values())
        high = max(figure.mean if figure.high is None else figure.high for figure in points.values())
        scale = (PLOT_WIDTH - 1) / (high - low) if high > low else 0.0
        direction = f" ({better[name]} is better)" if better.get(name) else ""
        lines = [
            f"  {label.ljust(width)}  {_bar(figure, low, scale)}  {number(figure.mean)}"
            for label, figure in points.items()
        ]
        blocks.append("\n".join([f"{name}{direction}", *lines]))
    return "\n".join(blocks)


def _bar(figure: Figure, low: float, scale: float) -> str:
    ends = [figure.mean if end is None else end for end in (figure.low, figure.high)]
    first, last, middle = (round((value - low) * scale) for value in (*ends, figure.mean))
    cells = ["─" if first <= cell <= last else " " for cell in range(PLOT_WIDTH)]
    cells[middle] = "●"
    return "".join(cells)


def picture(evaluations: Evaluations, better: Mapping[str, str], form: str) -> bytes:
    """The plot as a picture, a panel a figure.

    Args:
        form: ``png`` or ``svg``.
    """
    import io
    import textwrap

    names = _names(evaluations)
    canvas_type = _canvas_type()
    columns = min(4, len(names))
    lines = -(-len(names) // columns)
    height = 0.9 + 0.28 * (len(evaluations) + 1)
    canvas = canvas_type(figsize=(3.4 * columns, height * lines), layout="constrained")
    panels = canvas.subplots(lines, columns, squeeze=False).ravel()
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    for panel, name in zip(panels, names, strict=False):
        points = _points(evaluations, name)
        for position, (label, figure) in enumerate(points.items()):
            ends = (figure.low, figure.high)
            spread = [[0.0 if end is None else abs(end - figure.mean)] for end in ends]
            colour = "0.55" if label == REAL else "tab:blue"
            panel.errorbar(figure.mean, -position, xerr=spread, fmt="o", color=colour, capsize=3)
        panel.set_yticks([-position for position in range(len(points))], list(points))
        panel.set_ylim(-len(points) + 0.4, 0.6)
        panel.set_title(f"{name} ({better[name]} is better)" if better.get(name) else name, fontsize=9)
        panel.tick_params(labelsize=8)
    canvas.supxlabel("\n".join(textwrap.wrap(str(next(iter(evaluations.values())).protocol), 44 * columns)), fontsize=7)
    file = io.BytesIO()
    canvas.savefig(file, format=form, dpi=150, metadata={"Date": None} if form == "svg" else None)
    return file.getvalue()


def _canvas_type() -> Any:
    """matplotlib's figure. When it is imported, it makes a list of fonts, and fontconfig, which it asks, keeps one.

    Neither goes into the home directory.
    """
    import os
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ganzoo-fonts-") as place:
        ours = [name for name in ("MPLCONFIGDIR", "XDG_CACHE_HOME") if name not in os.environ]
        os.environ.update(dict.fromkeys(ours, place))
        try:
            from matplotlib.figure import Figure as Canvas  # without pyplot there is no global state, and no window
        finally:
            for name in ours:
                del os.environ[name]
    return Canvas


def _names(evaluations: Evaluations) -> list[str]:
    """The names of all figures, in the metrics' order."""
    return list(dict.fromkeys(name for each in evaluations.values() for name in each.figures))


def _points(evaluations: Evaluations, name: str) -> dict[str, Figure]:
    """Subject -> its figure ``name``, and what real images score in its place."""
    points = {subject: each.figures[name] for subject, each in evaluations.items() if name in each.figures}
    floor = next(iter(evaluations.values())).floor
    if name in floor:
        points[REAL] = Figure(mean=floor[name], low=None, high=None, values=(floor[name],))
    return points
