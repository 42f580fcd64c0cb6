"""The Monge distance of features: its definition, exact transport, closed forms, and what it is not moved by."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from ganzoo.errors import UsageError
from ganzoo.evaluation import monge, monge_distance
from ganzoo.evaluation.figures import Moments, frechet_distance

Features = NDArray[np.float64]


def drawn(seed: int, n: int, width: int) -> Features:
    random = np.random.default_rng(seed)
    return np.asarray(random.normal(size=(n, width)) @ random.normal(size=(width, width)))


def by_definition(x: Features, y: Features) -> float:
    """alpha / (n M) sum over directions and ranks, with alpha = 3 D."""
    total = 0.0
    for direction in monge._directions(x.shape[1]):
        total += float(np.square(np.sort(x @ direction) - np.sort(y @ direction)).mean())
    return float(3 * x.shape[1] * total / monge.DIRECTIONS)


@pytest.mark.parametrize(("n", "width"), [(2, 1), (50, 3), (300, 64)])
def test_it_is_what_the_paper_defines(n: int, width: int) -> None:
    x, y = drawn(1, n, width), drawn(2, n, width)
    assert monge_distance(x, y) == pytest.approx(by_definition(x, y), rel=1e-12)


@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 1000))
def test_samples_of_two_sizes_are_transported_exactly(n: int, m: int, seed: int) -> None:
    """Each row of x m times, and each of y n times, are two samples of one size, and of the same distributions."""
    x, y = drawn(seed, n, 2), drawn(seed + 1, m, 2)
    wanted = by_definition(np.repeat(x, m, axis=0), np.repeat(y, n, axis=0))
    assert monge_distance(x, y) == pytest.approx(wanted, rel=1e-12)
    assert monge_distance(y, x) == pytest.approx(wanted, rel=1e-12)


def test_equal_distributions_have_no_distance() -> None:
    x = drawn(3, 40, 5)
    shuffled = np.random.default_rng(0).permutation(x)
    assert monge_distance(x, shuffled) == 0
    assert monge_distance(x, np.repeat(shuffled, 3, axis=0)) == 0


@pytest.mark.parametrize("width", [2, 16, 128])
def test_a_shift_counts_three_times_its_square(width: int) -> None:
    """The mean of (u . d)^2 over the sphere is |d|^2 / D; of 1,000 directions it is so within 3 sigma, 13 %."""
    x, shift = drawn(4, 100, width), np.random.default_rng(5).normal(size=width)
    assert monge_distance(x, x + shift) == pytest.approx(3 * np.square(shift).sum(), rel=0.14)
    directions = monge._directions(width)
    exact = 3 * width * np.square(directions @ shift).mean()
    assert monge_distance(x, x + shift) == pytest.approx(exact, rel=1e-9)


def test_the_directions_are_uniform_and_always_the_same() -> None:
    directions = monge._directions(32)
    assert directions.shape == (monge.DIRECTIONS, 32)
    assert np.linalg.norm(directions, axis=1) == pytest.approx(1)
    assert np.abs(directions.mean(axis=0)).max() < 4 / np.sqrt(32 * monge.DIRECTIONS)
    assert np.array_equal(directions, monge._directions(32))
    assert directions[0, 0] == pytest.approx(GOLDEN, rel=1e-12)  # the stream is frozen: figures of years compare


GOLDEN = -0.08520054775791629


def test_it_scales_as_a_square() -> None:
    x, y = drawn(6, 60, 4), drawn(7, 80, 4)
    assert monge_distance(10 * x, 10 * y) == pytest.approx(100 * monge_distance(x, y))


def test_it_sees_what_equal_moments_hide() -> None:
    """Two points at -1 and 1 have the mean and the variance of a Gaussian, by which the Fréchet distance goes."""
    random = np.random.default_rng(8)
    gaussian, other, signs = random.normal(size=(4000, 1)), random.normal(size=(4000, 1)), np.ones((4000, 1))
    signs[::2] = -1
    moments = [Moments() for _ in range(2)]
    for each, rows in zip(moments, (gaussian, signs), strict=True):
        each.add(rows)
    assert frechet_distance(*moments) < 0.01
    assert monge_distance(gaussian, signs) > 30 * monge_distance(gaussian, other)
    # 3 int (Phi^-1(q) - sign(q - 1/2))^2 dq = 3 (2 - 2 E|z|)
    assert monge_distance(gaussian, signs) == pytest.approx(6 * (1 - np.sqrt(2 / np.pi)), rel=0.05)


def test_fewer_than_two_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="cannot compare 1 image with 5 images"):
        monge_distance(drawn(0, 1, 3), drawn(0, 5, 3))
