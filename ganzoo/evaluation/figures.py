"""The figures of quality that are computed from features [N, D], in float64 NumPy.

What grows with the square of the number of images is computed block by block, so that it takes little memory.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganzoo.errors import UsageError
from ganzoo.evaluation.checks import Float, images, pair_of, require_same_width, rows_of

BLOCK = 2**21
"""Entries of a block of distances or of kernel values: 16 MB."""

NOISE = 1e-12
"""Bound on the rounding of |x|^2 - 2 x.y + |y|^2 relative to the squared norms; generous, for many dimensions."""

COSINE_THRESHOLD = 0.1


class Moments:
    """Mean and covariance of features that arrive in batches; memory does not grow with their number.

    Attributes:
        n: rows so far.
    """

    def __init__(self) -> None:
        self.n = 0
        self._mean: Float = np.zeros(0)
        self._scatter: Float = np.zeros((0, 0))
        self._root: Float | None = None

    def add(self, features: ArrayLike) -> None:
        """Take in more rows [m, D], merged as Chan et al. (1983) do, which loses nothing to a large mean.

        Raises:
            UsageError: the features are not finite numbers [m, D] with the D of those before.
        """
        batch = rows_of(features)
        if not self.n:
            dimensions = batch.shape[1]
            self._mean, self._scatter = np.zeros(dimensions), np.zeros((dimensions, dimensions))
        require_same_width(len(self._mean), batch.shape[1])
        mean = batch.mean(axis=0)
        centred, step = batch - mean, mean - self._mean
        share = len(batch) / (self.n + len(batch))
        self._scatter += centred.T @ centred + np.outer(step, step) * (self.n * share)
        self._mean += step * share
        self._root = None
        self.n += len(batch)

    @property
    def mean(self) -> Float:
        """The mean [D].

        Raises:
            UsageError: there are fewer than 2 rows.
        """
        return self._enough(self._mean)

    @property
    def covariance(self) -> Float:
        """The covariance [D, D], divided by n - 1.

        Raises:
            UsageError: there are fewer than 2 rows.
        """
        return self._enough(self._scatter) / (self.n - 1)

    @property
    def root(self) -> Float:
        """R [D, rank] with R R^T = covariance; what is asked for again is not computed again: it takes D^3 steps.

        Eigenvalues within rounding of 0 are 0, or their roots would be 1e-8, not 1e-16.

        Raises:
            UsageError: there are fewer than 2 rows.
        """
        if self._root is None:
            values, vectors = np.linalg.eigh(self.covariance)
            above = values > len(values) * np.finfo(np.float64).eps * values[-1]
            self._root = vectors[:, above] * np.sqrt(values[above])
            self._root.setflags(write=False)
        return self._root

    def _enough(self, moment: Float) -> Float:
        if self.n < 2:
            raise UsageError(f"there is no covariance of {images(self.n)}", hint="give at least 2, better thousands")
        return moment


def frechet_distance(a: Moments, b: Moments) -> float:
    """The squared Fréchet distance of two Gaussians (Dowson and Landau, 1982): FID, if the features are Inception's.

    |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)) = |m_a - m_b|^2 + min_U |R_a - R_b U|^2, with S = R R^T. R_b
    has no more columns than R_a, and the rows of U are orthonormal. On the right nothing cancels: it is never negative,
    and 0 (to 1e-25 of the trace) for equal Gaussians. Nor does a singular covariance disturb it. The best U is the
    orthogonal part of R_b^T R_a.

    Raises:
        UsageError: fewer than 2 rows, or features of different dimensions.
    """
    require_same_width(len(a.mean), len(b.mean))
    more, fewer = sorted((a.root, b.root), key=lambda root: -root.shape[1])
    left, _, right = np.linalg.svd(fewer.T @ more, full_matrices=False)
    gap = more - fewer @ (left @ right)
    return float(np.square(a.mean - b.mean).sum() + np.square(gap).sum())


def kernel_distance(x: ArrayLike, y: ArrayLike) -> float:
    """Unbiased squared MMD with the kernel (x.y / D + 1)^3: KID over all rows at once (Bińkowski et al., 2018).

    Args:
        x, y: features [N, D] and [M, D].

    Raises:
        UsageError: fewer than 2 rows, different D, or numbers that are not finite.
    """
    x, y = pair_of(x, y)
    n, m = len(x), len(y)
    within_x = (_kernel_sum(x, x) - _kernel_diagonal(x)) / (n * (n - 1))
    within_y = (_kernel_sum(y, y) - _kernel_diagonal(y)) / (m * (m - 1))
    return within_x + within_y - 2 * _kernel_sum(x, y) / (n * m)


def _kernel_sum(x: Float, y: Float) -> float:
    total = 0.0
    for rows in _blocks(len(x), len(y)):
        base = x[rows] @ y.T
        base /= x.shape[1]
        base += 1
        total += float(np.vdot(base, base * base))
    return total


def _kernel_diagonal(x: Float) -> float:
    return float(((np.square(x).sum(axis=1) / x.shape[1] + 1) ** 3).sum())


def prdc(real: ArrayLike, fake: ArrayLike, k: int = 5) -> dict[str, float]:
    """Precision and recall (Kynkäänniemi et al., 2019), density and coverage (Naeem et al., 2020).

    An image's ball reaches to its k-th nearest neighbour in its own set, itself not counted. A point on the rim is
    outside; what is nearer to the rim than rounding counts as on it. The centre is inside, and what is no farther from
    it than rounding, also where an image has k copies, so that its ball has no radius: copies of the real images score
    1, whatever copies there are among these.

    Args:
        real, fake: features [N, D] and [M, D].
        k: a ball's radius is the distance to the k-th nearest neighbour.

    Returns:
        ``precision``, the share of fakes in the ball of any real image; ``recall``, the share of real images in the
        ball of any fake; ``density``, the mean number of real balls that a fake lies in, divided by k (so it may exceed
        1), where a ball that holds m > k real images, all of them copies, counts k / m; ``coverage``, the share of real
        balls that hold a fake.

    Raises:
        UsageError: a set has no k-th neighbour, different D, or numbers that are not finite.
    """
    real, fake = pair_of(real, fake)
    fewest = min(len(real), len(fake))
    if not 1 <= k < fewest:
        raise UsageError(f"{images(fewest)} cannot each have {k} neighbours", hint=f"choose k from 1 to {fewest - 1}")
    real_radius, real_held = _balls(real, k)
    fake_radius, _ = _balls(fake, k)
    share = k / np.maximum(real_held, k)
    holding = np.zeros(len(fake))  # how many real balls each fake lies in
    recalled = covered = 0
    for rows, distance in distances(real, fake):
        inside = distance < real_radius[rows, None]
        holding += share[rows] @ inside
        covered += int(inside.any(axis=1).sum())
        recalled += int((distance < fake_radius).any(axis=1).sum())
    return {
        "precision": float((holding > 0).mean()),
        "recall": recalled / len(real),
        "density": float(holding.mean()) / k,
        "coverage": covered / len(real),
    }


def _balls(x: Float, k: int) -> tuple[Float, NDArray[np.int64]]:
    """The ball around each image: its squared radius [N], and how many images of the set it holds, its own included.

    The radius is the distance to the k-th nearest neighbour, minus its possible rounding (see ``NOISE``), and no less
    than the rounding of a distance of 0.
    """
    noise = NOISE * np.square(x).sum(axis=1) + np.finfo(np.float64).tiny
    radii, held = np.zeros(len(x)), np.zeros(len(x), np.int64)
    for rows, distance in distances(x, x):
        radii[rows] = np.maximum(np.partition(distance, k, axis=1)[:, k] - noise[rows], noise[rows])
        held[rows] = (distance < radii[rows, None]).sum(axis=1)
    return radii, held


def distances(x: Float, y: Float) -> Iterator[tuple[slice, Float]]:
    """Squared Euclidean distances of all pairs: blocks of rows of x, each with its distances [rows, M]."""
    squares_x, squares_y = np.square(x).sum(axis=1), np.square(y).sum(axis=1)
    for rows in _blocks(len(x), len(y)):
        distance = x[rows] @ y.T
        distance *= -2
        distance += squares_x[rows, None]
        distance += squares_y
        yield rows, np.maximum(distance, 0, out=distance)


def nearer(fake: ArrayLike, train: ArrayLike, held_out: ArrayLike) -> float:
    """Probability that a fake lies nearer to its nearest training image than a held-out real image does to its own.

    0.5 is ideal; towards 1 the generator copies, towards 0 it misses the data. It is the Mann-Whitney statistic of
    Meehan et al. (2020) as a probability; ties count half, and what differs by no more than rounding is a tie.

    Raises:
        UsageError: fewer than 2 rows, different D, or numbers that are not finite.
    """
    ours, rounding = _nearest(fake, train)
    theirs = np.sort(_nearest(held_out, train)[0])
    farther = len(theirs) - np.searchsorted(theirs, ours + rounding, "right")
    no_nearer = len(theirs) - np.searchsorted(theirs, ours - rounding, "left")
    return float((farther + no_nearer).mean() / (2 * len(theirs)))


def _nearest(x: ArrayLike, y: ArrayLike) -> tuple[Float, Float]:
    """Squared distance [N] of each row of x to the nearest of y, 0 for a copy, and its possible rounding."""
    x, y = pair_of(x, y)
    nearest = np.concatenate([distance.min(axis=1) for _, distance in distances(x, y)])
    rounding: Float = NOISE * np.square(x).sum(axis=1)
    return np.where(nearest < rounding, 0.0, nearest), rounding


def mifid(distance: float, fake: ArrayLike, train: ArrayLike) -> float:
    """The Fréchet distance divided by the fakes' distance from the training images (Bai et al., 2021): lower is better.

    The fakes' distance is 1 - |cos| to the nearest training image, averaged over the fakes; from ``COSINE_THRESHOLD``
    on it counts as 1. Rows of zeros, which have no direction, are left out. torchmetrics averages over the training
    images instead; it gives this figure when told that the fakes are real.

    Args:
        distance: the Fréchet distance.
        fake, train: features [N, D] and [M, D].

    Raises:
        UsageError: fewer than 2 rows that are not 0, different D, or numbers that are not finite.
    """
    fake, train = pair_of(_directions(fake), _directions(train))
    gaps = [1 - np.abs(fake[rows] @ train.T).max(axis=1) for rows in _blocks(len(fake), len(train))]
    gap = max(float(np.concatenate(gaps).mean()), 0.0)  # of copies it is 0, and by rounding may be less
    # 1e-8 and 1e-14 as in torchmetrics and in the competition that the figure was made for.
    return distance / ((gap if gap < COSINE_THRESHOLD else 1) + 1e-14) if distance > 1e-8 else 0.0


def _directions(features: ArrayLike) -> Float:
    rows = rows_of(features)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    kept = norms[:, 0] > 0
    directions: Float = rows[kept] / norms[kept]
    return directions


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    step = max(1, BLOCK // columns)
    return (slice(first, first + step) for first in range(0, rows, step))
