"""The built-in metrics: each computes the figures that the evidence allows."""

import numpy as np
from numpy.typing import NDArray

from ganzoo.evaluation import (
    Evidence,
    Sample,
    class_deviations,
    clipped_density_coverage,
    frechet_distance,
    kernel_distance,
    mifid,
    mode_figures,
    monge_distance,
    nearer,
    prdc,
)

NEIGHBOURS = 5
"""k of precision, recall, density and coverage (Naeem et al., 2020, section 4), and of the clipped ones."""


def frechet(evidence: Evidence) -> dict[str, float]:
    """``fd``: Fréchet distance between Gaussians fitted to features (Heusel et al., 2017, equation 6)."""
    return {} if (fd := _fd(evidence)) is None else {"fd": fd}


def kernel(evidence: Evidence) -> dict[str, float]:
    """``kid``: kernel distance, unbiased (Bińkowski et al., 2018)."""
    fake, real = _pairs(evidence)
    return {} if fake is None or real is None else {"kid": kernel_distance(fake, real)}


def neighbours(evidence: Evidence) -> dict[str, float]:
    """Precision and recall (Kynkäänniemi et al., 2019), density and coverage (Naeem et al., 2020)."""
    fake, real = _pairs(evidence)
    if fake is None or real is None or len(real) <= NEIGHBOURS:
        return {}
    return prdc(real, fake, NEIGHBOURS)


def monge(evidence: Evidence) -> dict[str, float]:
    """``mind``: squared distances of optimal transport along random directions (Berthet et al., 2026)."""
    fake, real = evidence.fake.features, evidence.real.features
    return {} if fake is None or real is None else {"mind": monge_distance(fake, real)}


def clipped(evidence: Evidence) -> dict[str, float]:
    """``clipped_density`` and ``clipped_coverage`` (Salvy et al., 2026)."""
    fake, real = _pairs(evidence)
    if fake is None or real is None or len(real) <= NEIGHBOURS:
        return {}
    return clipped_density_coverage(real, fake, NEIGHBOURS)


def predictions(evidence: Evidence) -> dict[str, float]:
    """``is``: inception score (Salimans et al., 2016); ``class_entropy`` of predicted classes; ``accuracy``."""
    tally = evidence.fake.tally
    if tally is None:
        return {}
    found = {"is": tally.inception_score, "class_entropy": tally.class_entropy}
    return found if tally.accuracy is None else {**found, "accuracy": tally.accuracy}


def within_classes(evidence: Evidence) -> dict[str, float]:
    """``class_deviation``, the mean over classes, and ``least_class_deviation``; labelled images have them."""
    fake, real = evidence.fake.within, evidence.real.within
    return {} if fake is None or real is None else class_deviations(fake, real)


def memorisation(evidence: Evidence) -> dict[str, float]:
    """``mifid`` (Bai et al., 2021) and ``copying`` (after Meehan et al., 2020); none for real images."""
    fake, training, held_out = evidence.fake.features, evidence.training, evidence.held_out
    fd = _fd(evidence)
    if fd is None or fake is None or training is None or training.features is None:
        return {}
    found = {}
    if min(fake.any(axis=1).sum(), training.features.any(axis=1).sum()) > 1:  # features of zeros have no direction
        found["mifid"] = mifid(fd, fake, training.features)
    if held_out is not None and held_out.features is not None:
        found["copying"] = nearer(fake, training.features, held_out.features)
    return found


def modes(evidence: Evidence) -> dict[str, float]:
    """If all modes are known: how many modes the good samples cover, their share, and how unevenly they fall."""
    if evidence.fake.assigned is None:
        return {}
    return mode_figures(evidence.fake.assigned, evidence.modes)


def _fd(evidence: Evidence) -> float | None:
    fake, real = evidence.fake.moments, evidence.real.moments
    return None if fake is None or real is None else frechet_distance(fake, real)


def _pairs(evidence: Evidence) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
    def first(sample: Sample) -> NDArray[np.float32] | None:
        return None if sample.features is None else sample.features[: evidence.pairs]

    return first(evidence.fake), first(evidence.real)
