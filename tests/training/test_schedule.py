"""The learning rate's factor: exact at the ends, and never outside of what was configured."""

import pytest
from hypothesis import given, strategies as st

from ganzoo.config import RunConfig, ScheduleName, choices
from ganzoo.training.schedule import RATES, factor

NAMES = sorted(RATES)
names = st.sampled_from(NAMES)
lengths = st.integers(1, 10**7)


def test_the_configuration_names_the_same_ones() -> None:
    assert sorted(choices(RunConfig, "schedule")) == NAMES


@pytest.mark.parametrize(("name", "middle"), [("constant", 1.0), ("linear", 0.5), ("cosine", 0.5)])
def test_the_middle(name: str, middle: float) -> None:
    assert factor(ScheduleName(name), 500, 1000, 0) == pytest.approx(middle, abs=1e-15)
    assert factor(ScheduleName(name), 550, 1000, 100) == pytest.approx(middle, abs=1e-15)


@pytest.mark.parametrize(("name", "quarter"), [("linear", 0.75), ("cosine", (1 + 2**-0.5) / 2)])
def test_a_quarter(name: str, quarter: float) -> None:
    assert factor(ScheduleName(name), 250, 1000, 0) == pytest.approx(quarter, abs=1e-15)


@given(names, lengths, st.data())
def test_the_ends_are_exact(name: str, steps: int, data: st.DataObject) -> None:
    warmup = data.draw(st.integers(0, steps - 1))
    assert factor(ScheduleName(name), warmup, steps, warmup) == 1.0
    assert factor(ScheduleName(name), steps, steps, warmup) == (1.0 if name == "constant" else 0.0)


@given(lengths, st.data())
def test_the_warm_up_is_a_line_to_1(warmup: int, data: st.DataObject) -> None:
    """In every step of it, and the same whatever comes after."""
    step = data.draw(st.integers(0, warmup - 1))
    assert factor(ScheduleName(data.draw(names)), step, data.draw(lengths), warmup) == (step + 1) / (warmup + 1)


@given(names, lengths, lengths, lengths)
def test_every_step_of_a_run_moves_the_weights(name: str, steps: int, warmup: int, step: int) -> None:
    """Positive until the run ends, whatever the length of the warm-up, and never more than was configured."""
    assert 0 < factor(ScheduleName(name), min(step, steps - 1), steps, warmup) <= 1


@given(names, lengths, lengths, st.data())
def test_it_only_falls_after_the_warm_up(name: str, steps: int, warmup: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(warmup, warmup + steps))
    assert factor(ScheduleName(name), first, steps, warmup) >= factor(ScheduleName(name), first + 1, steps, warmup)
