"""The figures of quality that ``ganzoo eval`` prints; what each means and how it is computed: docs/evaluation.md."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganzoo import Metric, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec

SHARE = (0.0, 1.0)
FROM_0 = (0.0, math.inf)


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """Nine metrics."""
    module = "ganzoo_plugins.metrics.metrics"
    yield Metric(
        name="frechet",
        summary="Fréchet distance of features: Heusel et al., 2017",
        target=f"{module}:frechet",
        figures={"fd": "lower"},
        bounds={"fd": FROM_0},
    )
    yield Metric(
        name="kernel",
        summary="kernel distance of features: Bińkowski et al., 2018",
        target=f"{module}:kernel",
        figures={"kid": "lower"},
    )
    yield Metric(
        name="neighbours",
        summary="precision and recall, density and coverage: Naeem et al., 2020",
        target=f"{module}:neighbours",
        figures={"precision": "higher", "recall": "higher", "density": "higher", "coverage": "higher"},
        bounds={"precision": SHARE, "recall": SHARE, "density": FROM_0, "coverage": SHARE},
    )
    yield Metric(
        name="monge",
        summary="optimal transport of features along random directions: Berthet et al., 2026",
        target=f"{module}:monge",
        figures={"mind": "lower"},
        bounds={"mind": FROM_0},
    )
    yield Metric(
        name="neighbours-clipped",
        summary="density and coverage as the share of good samples: Salvy et al., 2026",
        target=f"{module}:clipped",
        figures={"clipped_density": "higher", "clipped_coverage": "higher"},
        bounds={"clipped_density": SHARE, "clipped_coverage": SHARE},
    )
    yield Metric(
        name="predictions",
        summary="inception score, entropy of predicted classes, accuracy of the classes asked for",
        target=f"{module}:predictions",
        figures={"is": "higher", "class_entropy": "higher", "accuracy": "higher"},
        bounds={"is": (1.0, math.inf), "class_entropy": FROM_0, "accuracy": SHARE},
    )
    yield Metric(
        name="memorisation",
        summary="nearness to training images: Bai et al., 2021; Meehan et al., 2020",
        target=f"{module}:memorisation",
        figures={"mifid": "lower", "copying": ""},
        bounds={"mifid": FROM_0, "copying": SHARE},
    )
    yield Metric(
        name="modes",
        summary="known modes covered, share of good samples, reverse KL divergence",
        target=f"{module}:modes",
        figures={"modes": "higher", "good": "higher", "reverse_kl": "lower"},
        bounds={"modes": FROM_0, "good": SHARE, "reverse_kl": FROM_0},
    )
    yield Metric(
        name="within-classes",
        summary="variety within classes, relative to real images: what accuracy does not see",
        target=f"{module}:within_classes",
        figures={"class_deviation": "higher", "least_class_deviation": "higher"},
        bounds={"class_deviation": FROM_0, "least_class_deviation": FROM_0},
    )
