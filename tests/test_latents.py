"""The latent stream is part of every exported file's promise: these numbers must never change."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ganzoo.latents import MAX_SEED, STREAM, draw, slerp

SEEDS = st.integers(0, MAX_SEED)


def test_golden_values() -> None:
    z, labels = draw(7, 0, 3, 4, classes=10)
    golden = [
        [-0.3895782232284546, 0.708344042301178, -1.8051143884658813, -1.524535059928894],
        [-0.29868850111961365, 0.8723044395446777, -2.071925640106201, 0.21025554835796356],
        [-1.2573851346969604, -1.6761887073516846, 0.4475029706954956, 0.8972906470298767],
    ]
    assert z.dtype == np.float32
    assert z.tolist() == golden
    assert labels is not None
    assert labels.dtype == np.int64
    assert labels.tolist() == [6, 8, 0]
    assert STREAM == "philox-1"


def test_golden_values_at_the_far_end() -> None:
    z, labels = draw(MAX_SEED, MAX_SEED, 1, 2, classes=3)
    assert z.tolist() == [[1.7613193988800049, -1.8013712167739868]]
    assert labels is not None
    assert labels.tolist() == [1]


@given(seed=SEEDS, start=st.integers(0, MAX_SEED - 8), count=st.integers(0, 8), dim=st.integers(1, 9))
def test_an_image_depends_on_seed_and_index_alone(seed: int, start: int, count: int, dim: int) -> None:
    z, labels = draw(seed, start, count, dim, classes=7)
    assert labels is not None
    for row in range(count):
        alone, label = draw(seed, start + row, 1, dim, classes=7)
        assert label is not None
        assert (z[row] == alone[0]).all()
        assert labels[row] == label[0]


@given(seed=SEEDS)
def test_classes_do_not_change_the_latents(seed: int) -> None:
    without, none = draw(seed, 0, 2, 5)
    assert none is None
    assert (without == draw(seed, 0, 2, 5, classes=3)[0]).all()


@pytest.mark.parametrize("other", [(8, 0), (7, 1)])
def test_seed_and_index_both_count(other: tuple[int, int]) -> None:
    assert not np.array_equal(draw(7, 0, 1, 4)[0], draw(*other, 1, 4)[0])


def test_latents_are_standard_normal_and_labels_uniform() -> None:
    z, labels = draw(0, 0, 2000, 16, classes=4)
    count = z.size
    assert abs(z.mean()) < 5 / count**0.5  # five standard errors each
    assert abs(z.var() - 1) < 5 * (2 / count) ** 0.5
    assert abs((z[:, 0] * z[:, 1]).mean()) < 5 / len(z) ** 0.5
    assert labels is not None
    expected = len(labels) / 4
    assert (np.abs(np.bincount(labels, minlength=4) - expected) < 5 * (expected * 0.75) ** 0.5).all()


@given(seed=SEEDS, dim=st.integers(1, 300), steps=st.integers(1, 9))
def test_a_way_begins_and_ends_where_it_says_and_a_turned_one_is_the_same(seed: int, dim: int, steps: int) -> None:
    (a, b), _ = draw(seed, 0, 2, dim)
    way = slerp(a, b, steps)
    assert way.dtype == np.float32
    assert way.shape == (steps, dim)
    assert (way[0] == a).all()
    if steps > 1:
        assert (way[-1] == b).all()
        np.testing.assert_allclose(way[::-1], slerp(b, a, steps), rtol=0, atol=1e-5)


def test_a_spherical_way_turns_evenly() -> None:
    """A quarter of a circle of radius 2 in three turns of 30 degrees."""
    way = slerp(np.array([2, 0], np.float32), np.array([0, 2], np.float32), 4)
    expected = np.array([[2, 0], [math.sqrt(3), 1], [1, math.sqrt(3)], [0, 2]])
    np.testing.assert_allclose(way, expected, atol=1e-6)


@pytest.mark.parametrize("b", [[0, 0], [4, 0], [-4, 0]])
def test_a_way_without_one_shortest_turn_is_straight(b: list[float]) -> None:
    way = slerp(np.array([2, 0], np.float32), np.array(b, np.float32), 3)
    np.testing.assert_allclose(way[1], [(2 + b[0]) / 2, 0], atol=1e-6)


@given(seed=SEEDS, start=st.integers(0, MAX_SEED - 8), dim=st.integers(1, 9), classes=st.integers(1, 300))
def test_each_image_has_a_stream_of_its_own(seed: int, start: int, dim: int, classes: int) -> None:
    """As the mapping is defined: a new generator for each, of which nothing is left for the next."""
    z, labels = draw(seed, start, 3, dim, classes)
    assert labels is not None
    for row in range(3):
        stream = np.random.RandomState(np.random.Philox(key=np.array([seed, start + row], np.uint64)))
        assert z[row].tolist() == stream.standard_normal(dim).astype(np.float32).tolist()
        assert labels[row] == stream.randint(classes)
