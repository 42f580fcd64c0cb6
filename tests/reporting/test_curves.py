"""Charts: thinned without losing what matters, with gaps where a value is missing, and well-formed."""

import math
import re
from collections.abc import Sequence
from xml.etree import ElementTree

from hypothesis import given, strategies as st

from ganzoo.reporting.curves import CHARACTER, MAX_POINTS, WIDTH, Curve, Point, chart, curve, thin

VALUES = st.floats(-1e100, 1e100)


@given(st.lists(VALUES | st.none(), min_size=1, max_size=40), st.integers(1, 200))
def test_thinning_keeps_ends_extremes_and_gaps(pattern: list[float | None], repeats: int) -> None:
    points: list[Point] = [(float(step), value) for step, value in enumerate(pattern * repeats)]
    kept = thin(points)
    assert len(kept) <= MAX_POINTS
    assert [kept[0], kept[-1]] == [points[0], points[-1]]
    assert kept == sorted(set(kept) & set(points), key=lambda point: point[0])
    values = [value for _, value in points if value is not None]
    left = [value for _, value in kept if value is not None]
    assert (min(left, default=None), max(left, default=None)) == (min(values, default=None), max(values, default=None))
    assert any(value is None for _, value in kept) == (None in pattern)


def test_few_points_all_stay() -> None:
    points: list[Point] = [(float(step), 0.0) for step in range(MAX_POINTS)]
    assert thin(points) == points


def test_a_single_gap_among_thousands_of_points_is_seen() -> None:
    points: list[Point] = [(float(step), None if step == 4321 else 1.0) for step in range(10_000)]
    assert (4321.0, None) in thin(points)


def test_what_was_logged_becomes_a_curve() -> None:
    entries: list[dict[str, object]] = [
        {"step": 20, "loss": 2},
        {"step": 10, "loss": None},
        {"step": 30},
        {"step": 40, "loss": "high"},
        {"step": math.inf, "loss": 1},
    ]
    assert curve("a", entries, "loss") == Curve("a", [(10.0, None), (20.0, 2.0), (40.0, None)])


def paths(svg: str) -> list[str]:
    return re.findall(r'<path class="line [^"]*" d="([^"]*)"', svg)


def drawn(*values: float | None) -> str:
    """The pen's way through these values, at steps 0, 1 …"""
    points = list(enumerate(values))
    return paths(chart("t", [Curve("a", points)]))[0]


def test_the_pen_is_lifted_at_a_gap() -> None:
    assert re.sub("[^MLh]", "", drawn(1, 2, None, 3, 4)) == "MhLMhL"


def test_a_point_between_two_gaps_is_a_dot() -> None:
    assert re.sub("[^MLh]", "", drawn(1, 2, None, 3, None)) == "MhLMh"


def test_higher_is_further_up() -> None:
    first, second = re.findall(r"[ML][\d.]+ ([\d.]+)", drawn(1, 2))
    assert float(first) > float(second)


def figure(title: str, curves: Sequence[Curve]) -> ElementTree.Element:
    return ElementTree.fromstring(chart(title, curves))


@given(st.integers(1, 10**9), VALUES, VALUES)
def test_labels_stay_within_the_picture(steps: int, low: float, high: float) -> None:
    for label in figure("t", [Curve("a", [(0, low), (steps, high)])]).iter("text"):
        at, length = float(label.attrib["x"]), CHARACTER * len(label.text or "")
        left = at - length if label.attrib.get("class") == "up" else at - length / 2
        assert left >= -0.1
        assert left + length <= WIDTH + 0.1


def test_nothing_to_draw() -> None:
    assert chart("t", []) == chart("t", [Curve("a", [])]) == chart("t", [Curve("a", [(1.0, None)])]) == ""


def test_a_chart_says_in_words_what_it_shows() -> None:
    found = figure("Losses", [Curve("loss_d", [(1.0, 3.0), (2.0, None), (3.0, 2.0)]), Curve("loss_g", [(1.0, None)])])
    (title,) = found.findall("svg[@role='img']/title")
    assert title.text == "Losses over steps: loss_d from 3 to 2, between 2 and 3; loss_g has no value."
    assert [" ".join(key.itertext()) for key in found.findall("ul/li")] == ["loss_d  2", "loss_g  no value"]


def test_lines_differ_by_dashes_as_well_as_by_colours() -> None:
    curves = [Curve(str(index), [(0.0, 1.0)]) for index in range(36)]
    styles = re.findall(r'<path class="line (c\d) (d\d)" d="M[^2]', chart("t", curves))
    looks = [(colour, dash) for colour, dash in styles[:36]]
    assert len(set(looks)) == 36
    assert len({colour for colour, _ in looks[:6]}) == len({dash for _, dash in looks[:6]}) == 6


def test_a_line_looks_the_same_where_another_is_missing() -> None:
    one, other = Curve("a", []), Curve("b", [(0.0, 1.0), (1.0, 2.0)])
    svg = chart("t", [one, other])
    assert svg.count("c1 d1") == 4  # line, two dots, key
    assert "c0" not in re.sub(r'<path class="line c0 d0" d=""/>', "", svg)


@given(st.text(max_size=20), st.text(max_size=20), st.lists(st.tuples(VALUES, VALUES | st.none()), max_size=20))
def test_whatever_it_is_called_a_chart_is_well_formed(title: str, name: str, points: list[Point]) -> None:
    text = chart(title, [Curve(name, sorted(points, key=lambda point: point[0]))])
    for sign in "\x0b\x0c\x1c\x1d\x1e\x1f\x85":  # Python calls them white space
        text = text.replace(sign, " ")
    if text and all(sign.isprintable() or sign.isspace() for sign in title + name):  # XML has no control characters
        ElementTree.fromstring(text)
    assert "nan" not in "".join(paths(text))
    assert "inf" not in "".join(paths(text))
