"""Clipped density and coverage: figures that read as the share of good samples (Salvy et al., 2026)."""

import numpy as np
from numpy.typing import ArrayLike

from ganzoo.errors import UsageError
from ganzoo.evaluation.checks import Float, images, pair_of
from ganzoo.evaluation.figures import NOISE, distances


def clipped_density_coverage(real: ArrayLike, fake: ArrayLike, k: int = 5) -> dict[str, float]:
    """Clipped density and clipped coverage (Salvy et al., 2026, arXiv 2507.01761): k % bad samples cost k %.

    A real image's ball reaches to its k-th nearest neighbour among the real images, r_i. For the density no ball is
    larger than the median one, so that outliers count little, and no sample counts more than 1:

        clipped_density = mean_j min(1, #{i: |y_j - x_i| <= min(r_i, median r)} / k) / (the same of the real images)

    at most 1. What a ball of the coverage holds counts up to k, c = mean_i min(k, #{j: |y_j - x_i| < r_i}) / k. If m of
    M samples are like the real images and the others nowhere near, the ball's content is beta-binomial, for the mass
    of a ball around one of N images is Beta(k, N - k) distributed, whatever the data: so c is expected to be f(m), and

        clipped_coverage = f^-1(c) / M,    f(m) = E min(k, J) / k,    J ~ BetaBinomial(m; k, N - k).

    Here f is computed for all m, and its inverse is interpolated, where the authors' code takes 0 for m < k, and whole
    m. Of data with copies the balls hold at least the copies, as in ``prdc``.

    Args:
        real, fake: features [N, D] and [M, D].
        k: neighbours.

    Raises:
        UsageError: there are no k neighbours, different D, or numbers that are not finite.
    """
    real, fake = pair_of(real, fake)
    if not 1 <= k < len(real):
        raise UsageError(
            f"{images(len(real))} cannot each have {k} neighbours", hint=f"choose k from 1 to {len(real) - 1}"
        )
    radius = np.concatenate([np.partition(each, k, axis=1)[:, k] for _, each in distances(real, real)])
    noise = NOISE * np.square(real).sum(axis=1) + np.finfo(np.float64).tiny
    median = np.square(np.median(np.sqrt(radius)))  # of an even number of squares it would be another one
    small = np.minimum(radius, median) + noise  # a neighbour on the rim is inside
    near, own = np.zeros(len(fake)), -np.ones(len(real))  # each real image lies in its own ball, which does not count
    held = np.zeros(len(real))
    for rows, distance in distances(real, fake):
        near += (distance <= small[rows, None]).sum(axis=0)
        held[rows] = (distance < np.maximum(radius - noise, noise)[rows, None]).sum(axis=1)
    for rows, distance in distances(real, real):
        own += (distance <= small[rows, None]).sum(axis=0)
    ideal = np.minimum(own, k).mean()
    covered = np.minimum(held, k).mean() / k
    return {
        "clipped_density": float(min(1.0, np.minimum(near, k).mean() / ideal)),
        "clipped_coverage": float(np.interp(covered, expected_coverage(len(real), len(fake), k), _shares(len(fake)))),
    }


def expected_coverage(n: int, m: int, k: int) -> Float:
    """f(0), ..., f(m): the coverage of n images by that many samples of their own distribution.

    E min(k, J) = k - sum_(j < k) (k - j) P(J = j), with P(J = j) = C(m, j) B(k + j, n - k + m - j) / B(k, n - k).
    """
    from scipy.special import betaln, gammaln

    count, j = np.arange(m + 1)[:, None], np.arange(k)[None]
    others = np.maximum(count - j, 0)
    log = gammaln(count + 1) - gammaln(j + 1) - gammaln(others + 1) + betaln(k + j, n - k + others) - betaln(k, n - k)
    chances = np.where(count >= j, np.exp(log), 0.0)
    return np.asarray(1 - (chances * (k - j)).sum(axis=1) / k)


def _shares(m: int) -> Float:
    return np.arange(m + 1) / m
