"""Curves over steps as SVG for a page. Dashes as well as colours tell them apart, and gaps in the values are gaps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ganzoo.evaluation.tables import number
from ganzoo.reporting.scale import Scale, drawable

COLOURS, DASHES = 6, 6
"""Numbers of classes ``c0`` … and ``d0`` … in the style sheet; each line has one of both, which makes 36 pairs."""

MAX_POINTS = 600
BUCKET = 5
"""Most points that a bucket of points is thinned to: the first, the last, the lowest, the highest, and a gap."""

DOTTED_UP_TO = 30
"""Most points of a line that shows each of them as a dot, so that nobody takes what lies between them for measured."""

WIDTH, HEIGHT = 420, 230
TOP, BOTTOM = 10, 26
CHARACTER = 7.4
"""Width of a character in an axis's labels, in the units of the picture."""

Point = tuple[float, float | None]
"""(step, value); None: a gap."""


@dataclass(frozen=True)
class Curve:
    """One line of a chart: what the legend calls it, and its points in order of steps."""

    name: str
    points: Sequence[Point]


def curve(name: str, entries: Sequence[Mapping[str, object]], key: str) -> Curve:
    """The curve of what was logged as ``key``, a gap where that is no finite number; other entries are left out."""
    found = [(drawable(entry.get("step")), drawable(entry[key])) for entry in entries if key in entry]
    return Curve(name, sorted(((step, value) for step, value in found if step is not None), key=lambda point: point[0]))


def thin(points: Sequence[Point]) -> list[Point]:
    """At most ``MAX_POINTS`` of the points; every peak, dip and gap that a curve of that width could show remains."""
    if len(points) <= MAX_POINTS:
        return list(points)
    kept: list[Point] = []
    buckets = MAX_POINTS // BUCKET
    for index in range(buckets):
        start, end = (at * len(points) // buckets for at in (index, index + 1))
        values = [(value, at) for at in range(start, end) if (value := points[at][1]) is not None]
        gap = next((at for at in range(start, end) if points[at][1] is None), start)
        extremes = {min(values)[1], max(values)[1]} if values else set()
        kept += [points[at] for at in sorted({start, end - 1, gap, *extremes})]
    return kept


def chart(title: str, curves: Sequence[Curve], note: str = "") -> str:
    """A figure with a caption, axes and a legend; empty if no curve has a point.

    Args:
        curves: the n-th looks the same in every chart; a curve without a point is left out.
        note: what a reader should know beside the title.
    """
    values = [value for each in curves for _, value in each.points if value is not None]
    if not values:
        return ""
    across = Scale.of_steps(step for each in curves for step, _ in each.points)
    up = Scale.of_values(values)
    notes = ", ".join(filter(None, [note, "logarithmic" if up.logarithmic else ""]))
    caption = f"{escape(title)}{f' <small>{escape(notes)}</small>' if notes else ''}"
    legend = "".join(_key(index, each) for index, each in enumerate(curves) if each.points)
    return (
        f'<figure class="chart"><figcaption>{caption}</figcaption>\n'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img"><title>{escape(_in_words(title, curves))}</title>\n'
        f'{_drawing(curves, across, up)}</svg>\n<ul class="legend">{legend}</ul></figure>'
    )


def _drawing(curves: Sequence[Curve], across: Scale, up: Scale) -> str:
    rows, columns = up.ticks(7), across.ticks(5)
    left = 12 + CHARACTER * max(len(label) for label in ["step", *(label for _, label in rows)])
    right = WIDTH - max(16, 4 + CHARACTER * len(columns[-1][1]) / 2)  # half a label reaches beyond its tick
    width, height = right - left, HEIGHT - BOTTOM - TOP

    def x(place: float) -> float:
        return left + place * width

    def y(place: float) -> float:
        return TOP + (1 - place) * height

    parts = [f'<path class="grid" d="M{left:.1f} {y(place):.1f}H{right:.1f}"/>' for place, _ in rows]
    parts += [f'<path class="grid" d="M{x(place):.1f} {TOP}v{height}"/>' for place, _ in columns]
    parts += [
        f'<text class="up" x="{left - 6:.1f}" y="{y(place) + 4:.1f}">{escape(label)}</text>' for place, label in rows
    ]
    parts += [f'<text x="{x(place):.1f}" y="{HEIGHT - 8}">{escape(label)}</text>' for place, label in columns]
    parts.append(f'<text class="up" x="{left - 12:.1f}" y="{HEIGHT - 8}">step</text>')
    for index, each in enumerate(curves):
        placed = [
            None if value is None else (x(across.place(step)), y(up.place(value))) for step, value in thin(each.points)
        ]
        parts.append(f'<path class="line {_style(index)}" d="{_path(placed)}"/>')
        if len(each.points) <= DOTTED_UP_TO:
            dots = (f'<circle class="{_style(index)}" cx="{p[0]:.1f}" cy="{p[1]:.1f}" r="2.6"/>' for p in placed if p)
            parts += dots
    return "\n".join(parts)


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """The path of a line that is broken at gaps; ``h0`` makes a dot of a point between two gaps."""
    moves, drawing = [], False
    for point in points:
        if point:
            moves.append(f"L{point[0]:.1f} {point[1]:.1f}" if drawing else f"M{point[0]:.1f} {point[1]:.1f}h0")
        drawing = point is not None
    return "".join(moves)


def _key(index: int, curve: Curve) -> str:
    swatch = f'<svg viewBox="0 0 32 8" aria-hidden="true"><path class="line {_style(index)}" d="M2 4h28"/></svg>'
    last = next((number(value) for _, value in reversed(curve.points) if value is not None), "no value")
    return f"<li>{swatch}{escape(curve.name)} <b>{last}</b></li>"


def _style(index: int) -> str:
    return f"c{index % COLOURS} d{(index + index // COLOURS) % DASHES}"


def _in_words(title: str, curves: Sequence[Curve]) -> str:
    """What the picture shows, in words, for people who cannot see it."""
    sentences = []
    for each in filter(lambda each: each.points, curves):
        values = [value for _, value in each.points if value is not None]
        if values:
            ends = f"from {number(values[0])} to {number(values[-1])}"
            sentences.append(f"{each.name} {ends}, between {number(min(values))} and {number(max(values))}")
        else:
            sentences.append(f"{each.name} has no value")
    return f"{title} over steps: {'; '.join(sentences)}."
