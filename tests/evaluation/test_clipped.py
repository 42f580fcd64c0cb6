"""Clipped density and coverage: they read as the share of good samples, and outliers do not move them."""

from collections.abc import Callable
from math import comb

import numpy as np
import pytest
from hypothesis import example, given, strategies as st
from numpy.typing import NDArray
from scipy.special import beta

from ganzoo.errors import UsageError
from ganzoo.evaluation import clipped_density_coverage, figures, prdc
from ganzoo.evaluation.clipped import expected_coverage
from ganzoo.evaluation.extractor import open_extractor
from ganzoo.zoo.names import zoo
from ganzoo_plugins.digits import reader

Features = NDArray[np.float64]
Pools = tuple[Features, Features]
"""Features of good images, and of bad ones."""

SHARES, DRAWS = (0.0, 0.1, 0.3, 0.5, 0.8, 1.0), 12


def by_brute_force(real: Features, fake: Features, k: int) -> dict[str, float]:
    def gaps(a: Features, b: Features) -> Features:
        return np.asarray(np.linalg.norm(a[:, None] - b[None], axis=2))

    radius = np.sort(gaps(real, real), axis=1)[:, k]
    small = np.minimum(radius, np.median(radius)) + 1e-9
    near = (gaps(real, fake) <= small[:, None]).sum(axis=0)
    own = (gaps(real, real) <= small[:, None]).sum(axis=0) - 1
    covered = np.minimum((gaps(real, fake) < radius[:, None]).sum(axis=1), k).mean() / k
    shares = np.arange(len(fake) + 1) / len(fake)
    ratio = np.minimum(near / k, 1).mean() / np.minimum(own / k, 1).mean()
    return {
        "clipped_density": min(1.0, float(ratio)),
        "clipped_coverage": float(np.interp(covered, by_beta_functions(len(real), len(fake), k), shares)),
    }


def by_beta_functions(n: int, m: int, k: int) -> list[float]:
    """E min(J, k) / k, J ~ BetaBinomial(count; k, n - k), summed over all values of J."""
    return [
        sum(min(j, k) * comb(count, j) * beta(k + j, n - k + count - j) for j in range(count + 1)) / beta(k, n - k) / k
        for count in range(m + 1)
    ]


@given(st.integers(0, 10_000), st.integers(7, 25), st.integers(2, 25), st.integers(1, 5), st.integers(1, 4))
@example(137, 10, 2, 2, 1)  # a real image lies between the median of the distances and that of their squares
def test_it_is_what_the_paper_defines(seed: int, n: int, m: int, k: int, width: int) -> None:
    random = np.random.default_rng(seed)
    real, fake = random.normal(size=(n, width)), random.normal(size=(m, width))
    assert clipped_density_coverage(real, fake, k) == pytest.approx(by_brute_force(real, fake, k), rel=1e-6)


@pytest.mark.parametrize(("n", "m", "k"), [(20, 30, 3), (30, 12, 5), (7, 7, 6)])
def test_the_expected_coverage_is_that_of_the_beta_binomial(n: int, m: int, k: int) -> None:
    expected = expected_coverage(n, m, k)
    assert expected == pytest.approx(by_beta_functions(n, m, k), rel=1e-9)
    assert expected[0] == pytest.approx(0, abs=1e-12)
    assert (np.diff(expected) > 0).all()


def test_the_expected_coverage_is_what_is_seen_whatever_the_data() -> None:
    random = np.random.default_rng(0)
    for width in (1, 3, 10):
        seen = []
        for _ in range(40):
            real, fake = random.exponential(size=(60, width)), random.exponential(size=(80, width))
            gaps = np.linalg.norm(real[:, None] - fake[None], axis=2)
            radius = np.sort(np.linalg.norm(real[:, None] - real[None], axis=2), axis=1)[:, 5]
            seen.append(np.minimum((gaps < radius[:, None]).sum(axis=1), 5).mean() / 5)
        error = np.std(seen) / np.sqrt(len(seen))
        assert abs(np.mean(seen) - expected_coverage(60, 80, 5)[-1]) < 4 * error


# k % of noise reads 100 - k


def synthetic() -> Pools:
    random = np.random.default_rng(1)
    mixing = random.normal(size=(16, 64)) * np.linspace(1, 0.1, 16)[:, None]
    good = random.normal(size=(6000, 16)) @ mixing + 4 * random.normal(size=(5, 64))[random.integers(5, size=6000)]
    return good, 10 * random.normal(size=(2000, 64)) + 30


def digits() -> Pools:
    extractor = open_extractor("digits", zoo(), device="cpu", threads=1)
    pixels = np.concatenate([reader.training().pixels, reader.held_out().pixels])
    noise = np.random.default_rng(2).integers(0, 256, (2000, 1, 8, 8), np.uint8)
    return extractor(pixels)[0].astype(np.float64), extractor(noise)[0].astype(np.float64)


@pytest.mark.parametrize("pools", [synthetic, digits])
def test_k_percent_of_noise_reads_100_minus_k_within_3(pools: Callable[[], Pools], tell: Callable[[str], None]) -> None:
    """In the mean over draws; one draw of 700 images is off by 2 to 3 itself, and at 0 they are cut off at 100."""
    good, bad = pools()
    random = np.random.default_rng(3)
    half = min(len(good) // 2, 700)
    for share in SHARES:
        found = []
        for _ in range(DRAWS):
            rows = random.permutation(len(good))[: 2 * half]
            real, fake = good[rows[:half]], good[rows[half:]].copy()
            noisy = round(share * half)
            fake[:noisy] = bad[random.permutation(len(bad))[:noisy]]
            found.append(list(clipped_density_coverage(real, fake).values()))
        density, coverage = 100 * np.mean(found, axis=0)
        tell(f"{share:.0%} noise: clipped density {density:.1f}, clipped coverage {coverage:.1f}")
        assert density == pytest.approx(100 - 100 * share, abs=3)
        assert coverage == pytest.approx(100 - 100 * share, abs=3)


# Outliers, copies, bounds


def test_outliers_among_the_real_images_do_not_make_bad_samples_good() -> None:
    """The ball of a real image far away is large; the plain density takes what lies in it for good."""
    random = np.random.default_rng(4)
    real, fake = random.normal(size=(400, 4)), random.normal(size=(400, 4))
    real[:20] *= 30
    fake[200:] = 20 * random.normal(size=(200, 4))
    assert prdc(real, fake)["precision"] > 0.9
    assert clipped_density_coverage(real, fake)["clipped_density"] == pytest.approx(0.5, abs=0.07)


def test_copies_of_one_sample_cover_no_more_than_one() -> None:
    random = np.random.default_rng(5)
    real = random.normal(size=(300, 3))
    found = clipped_density_coverage(real, np.repeat(real[:1], 300, axis=0))
    assert found["clipped_coverage"] < 0.03
    assert found["clipped_density"] > 0.9


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=2, max_size=6), st.integers(0, 99))
def test_real_images_as_their_own_samples_are_all_good(crowd: list[tuple[int, int]], seed: int) -> None:
    """Also where many of them are copies."""
    places = np.random.default_rng(seed).normal(size=(4, 5))
    features = np.concatenate([np.repeat(places[[place]], count, axis=0) for place, count in [*crowd, (0, 2)]])
    found = clipped_density_coverage(features, features[::-1], 2)
    assert found == {"clipped_density": 1.0, "clipped_coverage": 1.0}


@given(st.integers(0, 1000), st.integers(6, 40), st.integers(2, 40), st.floats(-5, 5))
def test_they_are_shares(seed: int, n: int, m: int, shift: float) -> None:
    random = np.random.default_rng(seed)
    found = clipped_density_coverage(random.normal(size=(n, 2)), random.normal(size=(m, 2)) + shift)
    assert all(0 <= value <= 1 for value in found.values())


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(6)
    real, fake = random.normal(size=(70, 3)), random.normal(size=(50, 3))
    whole = clipped_density_coverage(real, fake)
    monkeypatch.setattr(figures, "BLOCK", 130)
    assert clipped_density_coverage(real, fake) == pytest.approx(whole, rel=1e-12)


def test_too_few_images_are_refused() -> None:
    with pytest.raises(UsageError, match="5 images cannot each have 5 neighbours"):
        clipped_density_coverage(np.eye(5), np.eye(5))
