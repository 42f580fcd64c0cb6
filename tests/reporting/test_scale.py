"""Axes: whatever the values are, each has a place, and round numbers stand beside them."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from ganzoo.reporting.scale import HUGE, Scale, drawable

NUMBERS = st.floats(-HUGE, HUGE) | st.integers(-1000, 1000).map(float) | st.floats(0.9999999, 1.0000001)


@given(st.lists(NUMBERS, min_size=1, max_size=20), st.integers(2, 8))
def test_every_value_has_a_place_and_labels_differ(values: list[float], count: int) -> None:
    scale = Scale.of_values(values)
    places = [scale.place(value) for value in values]
    assert all(0 <= place <= 1 for place in places)
    assert all(one <= other for one, other in pairwise(sorted(places)))
    ticks = scale.ticks(count)
    assert len(ticks) <= count + 1
    assert all(-1e-9 <= place <= 1 + 1e-9 for place, _ in ticks)
    assert len({label for _, label in ticks}) == len(ticks)
    assert all(len(label) <= 12 for _, label in ticks)


@given(st.lists(st.floats(-HUGE, HUGE), max_size=20))
def test_every_step_has_a_place(steps: list[float]) -> None:
    scale = Scale.of_steps(steps)
    assert all(0 <= scale.place(step) <= 1 for step in [0.0, *steps])
    assert scale.ticks(5)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0, 600], ["0", "200", "400", "600"]),
        ([0.62, 1.39], ["0.6", "0.8", "1.0", "1.2", "1.4"]),
        ([6000, 8200], ["6,000", "6,500", "7,000", "7,500", "8,000"]),
        ([0, 3e4], ["0", "10k", "20k", "30k"]),
        ([0, 3e6], ["0", "1M", "2M", "3M"]),
        ([0, 6e8], ["0", "200M", "400M", "600M"]),
        ([-1.5, 1.5], ["-1", "0", "1"]),
        ([6.7e-5, 2e-4], ["1.0e-4", "1.5e-4", "2.0e-4"]),
        ([3, 3], ["2.9", "3.0", "3.1"]),
        ([0, 0], ["0", "0.5", "1.0"]),
        ([0.02, 30], ["0.1", "1", "10"]),
        ([1e-6, 1e6], ["1e-5", "1", "1e5"]),
    ],
)
def test_labels_are_round(values: list[float], labels: list[str]) -> None:
    assert [label for _, label in Scale.of_values(values).ticks(5)] == labels


@pytest.mark.parametrize(("values", "logarithmic"), [([1, 99], False), ([1, 100], True), ([0, 1000], False)])
def test_decades_are_told_apart(values: list[float], logarithmic: bool) -> None:
    assert Scale.of_values(values).logarithmic == logarithmic


def test_a_decade_is_as_high_as_the_next() -> None:
    scale = Scale.of_values([0.01, 100])
    assert scale.place(0.1) - scale.place(0.01) == pytest.approx(scale.place(100) - scale.place(10))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e101, 10**400, True, "1", None, [1]])
def test_what_is_no_number_is_a_gap(value: object) -> None:
    assert drawable(value) is None


def test_numbers_are_drawn() -> None:
    assert [drawable(value) for value in (0, -2, 0.5)] == [0.0, -2.0, 0.5]
