"""The Monge distance of features: optimal transport along random directions."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganzoo.evaluation.checks import Float, pair_of

DIRECTIONS = 1000
"""M, the number of random directions (Berthet et al., 2026)."""

AT_ONCE = 64
"""Directions whose projections are in memory at the same time."""


def monge_distance(x: ArrayLike, y: ArrayLike) -> float:
    """Squared sliced Wasserstein distance, 3 D times the mean over directions: MIND (Berthet et al., 2026).

    3 D / M sum_i int_0^1 (F_i^-1(q) - G_i^-1(q))^2 dq, where F_i and G_i are the distributions of x and y along unit
    vector i. For one-dimensional samples of equal size the integral is the mean of (x_(j) - y_(j))^2 in sorted order;
    here it is exact for any two sizes, where the paper takes subsets of one size. It is a plug-in estimator: for two
    samples of one distribution it is above 0, and falls as they grow. A mean that is off by d adds 3 |d|^2. The
    directions are drawn once for each D, from a frozen stream, so that equal features have equal figures.

    Args:
        x, y: features [N, D] and [M, D].

    Raises:
        UsageError: fewer than 2 rows, different D, or numbers that are not finite.
    """
    x, y = pair_of(x, y)
    rows_x, rows_y, widths = _steps(len(x), len(y))
    total = 0.0
    for part in np.split(_directions(x.shape[1]), range(AT_ONCE, DIRECTIONS, AT_ONCE)):
        along_x, along_y = (np.sort(part @ features.T, axis=1) for features in (x, y))
        total += float((np.square(along_x[:, rows_x] - along_y[:, rows_y]) @ widths).sum())
    return float(3 * x.shape[1] * total / DIRECTIONS)


def _steps(n: int, m: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Float]:
    """The intervals of [0, 1] on which both quantile functions are constant: which values they have, and how wide."""
    ends = np.unique(np.concatenate([np.arange(n + 1) * m, np.arange(m + 1) * n]))
    return ends[:-1] // m, ends[:-1] // n, np.diff(ends) / (n * m)


def _directions(dimensions: int) -> Float:
    """``DIRECTIONS`` unit vectors [M, D], uniform on the sphere."""
    stream = np.random.RandomState(np.random.Philox(key=np.array([dimensions, 2], np.uint64)))
    normal = stream.normal(size=(DIRECTIONS, dimensions))
    return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))
