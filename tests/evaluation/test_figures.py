"""The figures: closed forms, properties, brute force, and what cannot be computed from."""

import itertools
from collections.abc import Callable
from math import exp, log
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from numpy.typing import NDArray

from ganzoo.errors import ExitCode, UsageError
from ganzoo.evaluation import counting, figures
from ganzoo.evaluation.extractor import open_extractor
from ganzoo.zoo.names import zoo
from ganzoo_plugins.digits import reader

Features = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(2, 40)
widths = st.integers(1, 12)


def moments(*batches: Features) -> figures.Moments:
    gathered = figures.Moments()
    for batch in batches:
        gathered.add(batch)
    return gathered


def distance(x: Features, y: Features) -> float:
    return figures.frechet_distance(moments(x), moments(y))


def drawn(seed: int, n: int, width: int, rank: int | None = None) -> Features:
    """Correlated features; with a rank, singular ones."""
    random = np.random.default_rng(seed)
    inner = width if rank is None else min(rank, width)
    return np.asarray(random.normal(size=(n, inner)) @ random.normal(size=(inner, width)) + random.normal(size=width))


def exactly(mean: Features, root: Features) -> Features:
    """2 D points whose mean is ``mean`` and whose covariance is root root^T, but for rounding."""
    width = len(mean)
    points = np.concatenate([np.eye(width), -np.eye(width)]) * np.sqrt((2 * width - 1) / 2)
    return np.asarray(points @ root.T + mean)


# Moments


@given(seeds, sizes, widths, st.lists(st.integers(0, 40), max_size=5))
def test_moments_do_not_depend_on_the_batches(seed: int, n: int, width: int, cuts: list[int]) -> None:
    features = drawn(seed, n, width)
    batches = [batch for batch in np.split(features, sorted(cut for cut in cuts if cut < n)) if len(batch)]
    for order in (batches, batches[::-1]):
        gathered = moments(*order)
        assert gathered.n == n
        np.testing.assert_allclose(gathered.mean, features.mean(axis=0), rtol=1e-12, atol=1e-12)
        wanted = np.cov(features, rowvar=False).reshape(width, width)
        np.testing.assert_allclose(gathered.covariance, wanted, rtol=1e-10, atol=1e-10)


def test_a_large_mean_costs_no_digits() -> None:
    """Sums of squares would lose 14 of 16 digits here."""
    features = drawn(0, 1000, 4)
    shifted = moments(*np.array_split(features + 1e7, 30))
    np.testing.assert_allclose(shifted.covariance, np.cov(features, rowvar=False), rtol=1e-7)


def test_float32_features_are_summed_in_float64() -> None:
    features = np.random.default_rng(0).normal(size=(5000, 8)).astype(np.float32)
    gathered = moments(*np.array_split(features, 50))  # type: ignore[arg-type]
    wanted = np.cov(features.astype(np.float64), rowvar=False)
    np.testing.assert_allclose(gathered.covariance, wanted, rtol=1e-12, atol=1e-14)


# Fréchet distance


def test_two_gaussians_with_diagonal_covariances() -> None:
    """|m_a - m_b|^2 + sum (s_a - s_b)^2."""
    x = exactly(np.array([1.0, -2.0, 0.5]), np.diag([1.0, 2.0, 3.0]))
    y = exactly(np.array([0.0, 1.0, 0.5]), np.diag([4.0, 2.0, 0.0]))
    assert distance(x, y) == pytest.approx(1 + 9 + (1 - 4) ** 2 + 0 + 3**2, rel=1e-12)


def test_two_gaussians_with_equal_covariances() -> None:
    root = drawn(1, 5, 5)
    assert distance(exactly(np.zeros(5), root), exactly(np.full(5, 2.0), root)) == pytest.approx(20, rel=1e-12)


def test_two_gaussians_in_two_dimensions() -> None:
    """tr (S_a S_b)^(1/2) = sqrt(tr(S_a S_b) + 2 sqrt(det(S_a S_b))) for 2 x 2 matrices."""
    roots = drawn(2, 2, 2), drawn(3, 2, 2)
    a, b = (root @ root.T for root in roots)
    cross = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    x, y = (exactly(np.zeros(2), root) for root in roots)
    assert distance(x, y) == pytest.approx(np.trace(a) + np.trace(b) - 2 * cross, rel=1e-10)


@given(seeds, sizes, widths, st.sampled_from([None, 1, 3]), st.sampled_from([1e-3, 1.0, 1e6]))
def test_a_set_is_at_distance_0_from_itself(seed: int, n: int, width: int, rank: int | None, scale: float) -> None:
    features = scale * drawn(seed, n, width, rank)
    assert distance(features, features) <= 1e-20 * np.square(features).sum()
    shuffled = np.random.default_rng(seed).permutation(features)
    assert distance(features, shuffled) <= 1e-12 * np.square(features).sum()


def test_digits_are_at_distance_0_from_themselves(tell: Callable[[str], None]) -> None:
    pixels = reader.training().pixels.reshape(-1, 64)
    found = distance(pixels, pixels)  # type: ignore[arg-type]
    tell(f"Fréchet distance of the digits (pixels 0 to 255) from themselves: {found:.1g}")
    assert found < 1e-9


@given(seeds, sizes, sizes, widths, st.sampled_from([None, 2]))
def test_properties_of_the_frechet_distance(seed: int, n: int, m: int, width: int, rank: int | None) -> None:
    x, y = drawn(seed, n, width, rank), drawn(seed + 1, m, width, rank)
    found = distance(x, y)
    scale = np.square(x).mean() * width + np.square(y).mean() * width
    assert found >= 0
    assert distance(y, x) == pytest.approx(found, rel=1e-6, abs=1e-7 * scale)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))
    assert distance(x @ rotation, y @ rotation) == pytest.approx(found, rel=1e-6, abs=1e-7 * scale)
    assert distance(3 * x + 1, 3 * y + 1) == pytest.approx(9 * found, rel=1e-6, abs=1e-6 * scale)


# Kernel distance


def test_kernel_distance_by_brute_force() -> None:
    x, y = drawn(4, 7, 3), drawn(5, 5, 3)

    def kernel(a: Features, b: Features) -> float:
        return float((a @ b / 3 + 1) ** 3)

    within = [np.mean([kernel(a, b) for a, b in itertools.permutations(rows, 2)]) for rows in (x, y)]
    between = np.mean([kernel(a, b) for a in x for b in y])
    assert figures.kernel_distance(x, y) == pytest.approx(sum(within) - 2 * between, rel=1e-12)


def test_kernel_distance_is_unbiased(tell: Callable[[str], None]) -> None:
    """Of two halves of one distribution it is 0 on average, below 0 as often as above."""
    found = [
        figures.kernel_distance(*np.split(np.random.default_rng(seed).normal(size=(60, 4)), 2)) for seed in range(400)
    ]
    error = np.std(found) / np.sqrt(len(found))
    tell(f"kernel distance of equal distributions: {np.mean(found):.4f} ± {error:.4f} over {len(found)} draws")
    assert abs(np.mean(found)) < 4 * error
    assert 0.3 < np.mean(np.less(found, 0)) < 0.8


# Precision, recall, density, coverage


def prdc_by_hand(real: Features, fake: Features, k: int) -> dict[str, float]:
    def gap(a: Features, b: Features) -> int:
        return int(np.square(a - b).sum())

    def radius(rows: Features, index: int) -> int:
        return sorted(gap(rows[index], row) for other, row in enumerate(rows) if other != index)[k - 1]

    real_radii, fake_radii = ([radius(rows, index) for index in range(len(rows))] for rows in (real, fake))

    def holds(centre: Features, limit: int, point: Features) -> bool:
        return gap(centre, point) < limit or gap(centre, point) == 0

    balls = [[holds(r, limit, f) for r, limit in zip(real, real_radii, strict=True)] for f in fake]
    recalled = [any(holds(f, limit, r) for f, limit in zip(fake, fake_radii, strict=True)) for r in real]
    copies = [sum(gap(r, other) == 0 for other in real) for r in real]
    weights = [1 / m if limit == 0 else 1 / k for m, limit in zip(copies, real_radii, strict=True)]
    return {
        "precision": float(np.mean([any(row) for row in balls])),
        "recall": float(np.mean(recalled)),
        "density": float(np.mean([np.dot(row, weights) for row in balls])),
        "coverage": float(np.mean([any(column) for column in zip(*balls, strict=True)])),
    }


@given(seeds, st.integers(4, 15), st.integers(4, 15), st.integers(1, 3), st.integers(1, 4))
def test_prdc_by_brute_force(seed: int, n: int, m: int, k: int, width: int) -> None:
    """On whole numbers, where points on the rim and coincident points are common."""
    random = np.random.default_rng(seed)
    real, fake = (random.integers(4, size=(rows, width)).astype(np.float64) for rows in (n, m))
    assert figures.prdc(real, fake, k) == pytest.approx(prdc_by_hand(real, fake, k), rel=1e-12)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = drawn(6, 50, 5), drawn(7, 40, 5)
    names: list[Callable[[Features, Features], Any]] = [
        figures.prdc,
        figures.kernel_distance,
        lambda a, b: figures.mifid(1.0, a, b),
        lambda a, b: figures.nearer(a, b, drawn(8, 30, 5)),
    ]
    whole = [function(x, y) for function in names]
    monkeypatch.setattr(figures, "BLOCK", 130)
    assert [function(x, y) for function in names] == [pytest.approx(value, rel=1e-12) for value in whole]


def test_a_copy_of_the_real_images_scores_1() -> None:
    """A k-th neighbour lies on the rim, outside; by rounding it would lie inside half of the time."""
    features = drawn(9, 500, 30)
    found = figures.prdc(features, np.random.default_rng(0).permutation(features), 5)
    assert found == {"precision": 1, "recall": 1, "density": 1, "coverage": 1}


crowds = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=6)
"""(place, how many copies lie there) …: features of which many are equal."""


def crowded(crowd: list[tuple[int, int]], seed: int, width: int = 5) -> Features:
    """Each place has features of its own, which are the same in every set; the rows are in a random order."""
    places = 1e3 + np.random.default_rng(0).normal(size=(4, width))
    rows = np.repeat([place for place, _ in crowd], [copies for _, copies in crowd])
    return np.asarray(np.random.default_rng(seed).permutation(places[rows]))


@given(crowds, crowds, seeds, st.integers(1, 6))
def test_shares_of_copies_are_shares(real: list[Any], fake: list[Any], seed: int, k: int) -> None:
    x, y = crowded(real, seed), crowded(fake, seed + 1)
    assume(k < min(len(x), len(y)))
    found = figures.prdc(x, y, k)
    shares = [found[name] for name in ("precision", "recall", "coverage")]
    assert all(0 <= share <= 1 for share in shares)
    assert found["density"] >= 0
    assert figures.prdc(x[::-1], y[::-1], k) == pytest.approx(found)
    mirrored = figures.prdc(y, x, k)
    assert (mirrored["precision"], mirrored["recall"]) == (found["recall"], found["precision"])
    held = {tuple(row) for row in x}
    assert found["precision"] >= np.mean([tuple(row) in held for row in y])  # whatever its ball, a centre is in it


@given(crowds, seeds, st.integers(1, 6))
def test_a_perfect_copy_of_copies_scores_1(real: list[Any], seed: int, k: int) -> None:
    x = crowded(real, seed)
    assume(k < len(x))
    found = figures.prdc(x, np.random.default_rng(seed).permutation(x), k)
    assert (found["precision"], found["recall"], found["coverage"]) == (1, 1, 1)
    assert found["density"] <= 1 + 1e-9  # on the rim are fewer inside; never more than there are neighbours
    fewest = min(np.unique(x, axis=0, return_counts=True)[1])
    if fewest > k:
        assert found["density"] == pytest.approx(1)


@pytest.mark.parametrize("copies", [6, 7, 60])
def test_images_with_more_copies_than_neighbours(copies: int) -> None:
    """Their balls have no radius: nothing would be inside, not even what is the same to the bit."""
    features = np.repeat(drawn(11, 10, 8), copies, axis=0)
    assert figures.prdc(features, features, 5) == pytest.approx(dict.fromkeys(prdc_by_hand(features, features, 5), 1))
    half = np.concatenate([features[: 5 * copies], drawn(12, 5 * copies, 8)])
    found = figures.prdc(features, half, 5)
    assert (found["precision"], found["coverage"]) == (0.5, 0.5)


def test_images_of_nothing() -> None:
    """All features 0: rounding has no scale there."""
    found = figures.prdc(np.zeros((10, 3)), np.zeros((8, 3)), 5)
    assert found == pytest.approx({"precision": 1, "recall": 1, "density": 1, "coverage": 1})
    assert figures.nearer(np.zeros((4, 3)), np.zeros((5, 3)), np.zeros((6, 3))) == 0.5


def test_a_collapse_to_one_class_shows_in_recall_and_coverage(tell: Callable[[str], None]) -> None:
    """A generator that gives real images, all of one class: nothing is wrong with any of them."""
    digits = open_extractor("digits", zoo(), device="cpu", threads=1)
    training = digits(reader.training().pixels)[0]
    real = digits(reader.held_out().pixels)[0]
    classes = np.asarray(reader.training().labels)
    random = np.random.default_rng(0)
    found = {"all classes": figures.prdc(real, training[: len(real)], 5)}
    for label in range(10):
        samples = random.choice(training[classes == label], len(real))
        found[f"only {label}"] = figures.prdc(real, samples, 5)
    whole = found.pop("all classes")
    one = {name: float(np.mean([values[name] for values in found.values()])) for name in whole}
    for name, values in (("all classes", whole), ("one class, mean of ten", one)):
        shown = ", ".join(f"{figure} {value:.3f}" for figure, value in values.items())
        tell(f"real digits as samples, {name}: {shown}")
    assert min(whole.values()) > 0.8
    for values in found.values():
        assert values["precision"] > 0.85
        assert values["recall"] < 0.2
        assert values["coverage"] < 0.2


# Memorisation


def test_nearer_tells_copies_from_fresh_samples_and_from_noise(tell: Callable[[str], None]) -> None:
    random = np.random.default_rng(0)
    train, held_out, fresh = (random.normal(size=(n, 8)) for n in (400, 200, 200))
    found = {
        "fresh": figures.nearer(fresh, train, held_out),
        "copies": figures.nearer(train[:200], train, held_out),
        "half copies": figures.nearer(np.concatenate([train[:100], fresh[:100]]), train, held_out),
        "far away": figures.nearer(fresh + 20, train, held_out),
    }
    tell("nearer to the training images than held-out ones: " + ", ".join(f"{k} {v:.2f}" for k, v in found.items()))
    assert abs(found["fresh"] - 0.5) < 0.1
    assert found["copies"] == 1
    assert 0.7 < found["half copies"] < 0.8
    assert found["far away"] == 0


@given(seeds, st.integers(2, 60), st.integers(2, 60), st.integers(1, 40), st.sampled_from([1e-6, 1.0, 1e6]))
def test_equal_sets_are_equally_near(seed: int, n: int, m: int, width: int, scale: float) -> None:
    """In any order of rows, though each distance is then rounded another way."""
    train, held_out = scale * drawn(seed, n, width), scale * drawn(seed + 1, m, width)
    fake = np.random.default_rng(seed).permutation(held_out)
    assert figures.nearer(fake, train, held_out) == 0.5
    assert figures.nearer(fake, train[::-1], held_out) == 0.5


def test_copies_are_all_at_distance_0() -> None:
    """By rounding some of them would be nearer than others."""
    train = drawn(10, 300, 40)
    assert figures.nearer(train[::-2], train, train[:100]) == 0.5


@given(seeds, st.integers(2, 12), st.integers(2, 12), st.integers(2, 12))
def test_nearer_by_counting_pairs(seed: int, n: int, m: int, held: int) -> None:
    random = np.random.default_rng(seed)
    fake, train, held_out = (random.integers(3, size=(rows, 2)).astype(float) for rows in (n, m, held))
    ours, theirs = (
        [min(int(np.square(row - each).sum()) for each in train) for row in rows] for rows in (fake, held_out)
    )
    wins = [(a < b) + (a == b) / 2 for a in ours for b in theirs]
    assert figures.nearer(fake, train, held_out) == pytest.approx(np.mean(wins))


def test_mifid_by_hand() -> None:
    train = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])  # the last one has no direction
    angle = 0.1
    close = np.array([[2.0, 0.0], [-np.sin(angle), np.cos(angle)]])
    gap = (0 + 1 - np.cos(angle)) / 2
    assert figures.mifid(3.0, close, train) == pytest.approx(3 / gap, rel=1e-9)
    far = np.array([[1.0, 1.0], [1.0, -1.0]])
    assert figures.mifid(3.0, far, train) == pytest.approx(3)
    assert figures.mifid(0.0, train, train) == 0


@given(seeds, st.integers(2, 30), st.integers(1, 30), st.sampled_from([1e-6, 1.0, 1e6]))
def test_a_set_of_copies_lies_at_no_distance_below_0(seed: int, n: int, width: int, scale: float) -> None:
    """By rounding 1 - |cos| of equal directions is some 1e-16 above or below 0."""
    train = scale * (1 + np.abs(drawn(seed, n, width)))
    copies = np.random.default_rng(seed).choice(train, n)
    found = figures.mifid(1.0, copies, train)
    assert 1e12 < found <= 1e14
    assert figures.nearer(copies, train, copies) == 0.5


# Classes and modes


@given(
    st.lists(st.lists(st.floats(-50, 50), min_size=3, max_size=3), min_size=1, max_size=20),
    st.integers(1, 5),
    st.sampled_from([1.0, 1e-9, 1e6]),
)
def test_figures_of_classes_are_within_their_bounds(rows: list[list[float]], copies: int, scale: float) -> None:
    """Not by rounding either: 1 to K, and 0 to log K."""
    tally = counting.Tally()
    for _ in range(copies):
        tally.add(scale * np.array(rows), np.zeros(len(rows), np.int64))
    assert 1 <= tally.inception_score <= 3
    assert 0 <= tally.class_entropy <= log(3)
    assert 0 <= (tally.accuracy or 0) <= 1


@given(st.integers(1, 40), st.integers(1, 30), st.lists(st.integers(-1, 39), min_size=1, max_size=60))
def test_figures_of_modes_are_within_their_bounds(count: int, copies: int, assigned: list[int]) -> None:
    known = np.array([mode if mode < count else -1 for mode in assigned])
    for modes in (known, np.tile(np.arange(count), copies)):
        found = counting.mode_figures(modes, count)
        assert 0 <= found["good"] <= 1
        assert 0 <= found["modes"] <= count
        assert 0 <= found.get("reverse_kl", 0) <= log(count)


def test_tally_by_hand() -> None:
    tally = counting.Tally()
    tally.add(np.log([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]]) + 7, np.array([0, 0]))
    tally.add(np.log([[0.6, 0.2, 0.2]]), np.array([0]))
    rows = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.6, 0.2, 0.2]])
    divergence = np.mean((rows * np.log(rows / rows.mean(axis=0))).sum(axis=1))
    assert tally.n == 3
    assert tally.inception_score == pytest.approx(exp(divergence), rel=1e-12)
    assert tally.class_entropy == pytest.approx(log(3) - 2 / 3 * log(2), rel=1e-12)
    assert tally.accuracy == pytest.approx(2 / 3)


@pytest.mark.parametrize(("classes", "scale"), [(2, 1e30), (10, 1e4), (10, 1e300)])
def test_a_certain_classifier_of_equally_frequent_classes(classes: int, scale: float) -> None:
    """Without overflow, whatever the logits."""
    tally = counting.Tally()
    tally.add(np.eye(classes) * scale - scale / 2)
    assert tally.inception_score == pytest.approx(classes)
    assert tally.class_entropy == pytest.approx(log(classes))
    assert tally.class_entropy == pytest.approx(log(len(tally._votes)))
    assert tally.accuracy is None


def test_a_classifier_that_sees_one_class() -> None:
    tally = counting.Tally()
    tally.add(np.tile([5.0, 0.0, 0.0], (4, 1)))
    assert tally.inception_score == pytest.approx(1)
    assert tally.class_entropy == 0


def test_modes_by_hand() -> None:
    found = counting.mode_figures(np.array([0, 0, 0, 2, -1]), 4)
    assert found["modes"] == 2
    assert found["good"] == 0.8
    assert found["reverse_kl"] == pytest.approx(0.75 * log(0.75 / 0.25) + 0.25 * log(0.25 / 0.25))


def test_all_modes_equally_often() -> None:
    found = counting.mode_figures(np.tile(np.arange(25), 3), 25)
    assert found == {"modes": 25, "good": 1, "reverse_kl": pytest.approx(0, abs=1e-12)}


def test_no_good_sample_has_no_divergence() -> None:
    assert counting.mode_figures(np.array([-1, -1]), 4) == {"modes": 0, "good": 0}


# What cannot be computed from

GOOD = drawn(0, 10, 3)
NAN, INFINITE = GOOD.copy(), GOOD.copy()
NAN[4, 1] = np.nan
INFINITE[7] = -np.inf

PAIRWISE: dict[str, Callable[[Any, Any], object]] = {
    "kernel_distance": figures.kernel_distance,
    "prdc": lambda x, y: figures.prdc(x, y, 1),
    "nearer": lambda x, y: figures.nearer(x, y, GOOD),
    "mifid": lambda x, y: figures.mifid(1.0, x, y),
    "frechet_distance": distance,
}
BAD_FEATURES = {
    "NaN": (NAN, "features: 1 of 10 rows hold NaN or infinity, first row 4"),
    "infinity": (INFINITE, "features: 1 of 10 rows hold NaN or infinity, first row 7"),
    "one dimension": (GOOD[0], r"features must be numbers \[N, D\], not float64 \[3\]"),
    "none": (GOOD[:0], r"features must be numbers \[N, D\], not float64 \[0, 3\]"),
    "text": (np.array([["a", "b"]]), r"features must be numbers \[N, D\], not <U1 \[1, 2\]"),
    "another width": (GOOD[:, :2], "features of [23] and of [23] dimensions cannot be compared"),
}


def refused(message: str) -> Any:
    return pytest.raises(UsageError, match=f"(?m)^{message}$")


def told(error: UsageError) -> bool:
    return error.exit_code == ExitCode.USAGE and bool(error.hint) and "\n" not in f"{error}{error.hint}"


@pytest.mark.parametrize("name", PAIRWISE)
@pytest.mark.parametrize("bad", BAD_FEATURES)
@pytest.mark.parametrize("first", [True, False])
def test_bad_features(name: str, bad: str, first: bool) -> None:
    features, message = BAD_FEATURES[bad]
    with refused(message) as caught:
        PAIRWISE[name](*(features, GOOD) if first else (GOOD, features))
    assert told(caught.value)


@pytest.mark.parametrize("name", sorted(set(PAIRWISE) - {"prdc", "frechet_distance"}))
def test_one_row(name: str) -> None:
    with refused("cannot compare 1 image with 10 images") as caught:
        PAIRWISE[name](GOOD[:1], GOOD)
    assert caught.value.hint == "give at least 2 of each"


def test_covariance_of_one_row() -> None:
    for gathered in (moments(), moments(GOOD[:1])):
        with refused("there is no covariance of [01] images?") as caught:
            figures.frechet_distance(gathered, moments(GOOD))
        assert caught.value.hint == "give at least 2, better thousands"


@pytest.mark.parametrize("k", [0, 10, 11])
def test_more_neighbours_than_there_are(k: int) -> None:
    with refused(f"10 images cannot each have {k} neighbours") as caught:
        figures.prdc(GOOD, drawn(1, 20, 3), k)
    assert caught.value.hint == "choose k from 1 to 9"


def test_another_width_in_the_next_batch() -> None:
    gathered = moments(GOOD)
    with refused("features of 3 and of 2 dimensions cannot be compared"):
        gathered.add(GOOD[:, :2])
    assert gathered.n == 10


def test_mifid_of_features_without_a_direction() -> None:
    with refused(r"features must be numbers \[N, D\], not float64 \[0, 3\]"):
        figures.mifid(1.0, np.zeros((4, 3)), GOOD)


LABELS = {
    "out of range": (np.array([0, 3]), "labels lie in 0 to 3", "they must lie in 0 to 2"),
    "negative": (np.array([0, -1]), "labels lie in -1 to 0", "they must lie in 0 to 2"),
    "too many": (np.array([0, 1, 2]), r"labels must be whole numbers \[2\], not int64 \[3\]", "give one an image"),
    "floats": (np.array([0.0, 1.0]), r"labels must be whole numbers \[2\], not float64 \[2\]", "give one an image"),
}


@pytest.mark.parametrize("bad", LABELS)
def test_bad_labels(bad: str) -> None:
    labels, message, hint = LABELS[bad]
    tally = counting.Tally()
    with refused(message) as caught:
        tally.add(np.zeros((2, 3)), labels)
    assert caught.value.hint == hint
    assert (tally.n, tally.accuracy) == (0, None)


def test_bad_logits() -> None:
    tally = counting.Tally()
    with refused("logits of 1 class say nothing"):
        tally.add(np.zeros((2, 1)))
    with refused("logits: 1 of 2 rows hold NaN or infinity, first row 1"):
        tally.add(np.array([[0.0, 1.0], [np.inf, 0.0]]))
    tally.add(np.zeros((2, 3)))
    with refused("logits of 3 and of 4 dimensions cannot be compared"):
        tally.add(np.zeros((2, 4)))
    with refused("no image was classified"):
        counting.Tally().inception_score  # noqa: B018


@pytest.mark.parametrize("assigned", [[4], [-2], [0.5], []])
def test_bad_modes(assigned: list[Any]) -> None:
    with refused(r"modes (lie in .*|must be whole numbers \[N\], not .*)") as caught:
        counting.mode_figures(np.array(assigned), 4)
    assert told(caught.value)
