"""The figures of quality that ``ganzoo eval`` prints; what each means and how it is computed: docs/evaluation.md."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ganzoo import Metric, hookimpl

if TYPE_CHECKING:
    from ganzoo import Spec


@hookimpl
def ganzoo_specs() -> "Iterable[Spec]":
    """Seven metrics."""
    module = "ganzoo_plugins.metrics.metrics"
    yield Metric(
        name="frechet",
        summary="Fréchet distance of features: Heusel et al., 2017",
        target=f"{module}:frechet",
        figures={"fd": "lower"},
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
    )
    yield Metric(
        name="predictions",
        summary="inception score, entropy of predicted classes, accuracy of the classes asked for",
        target=f"{module}:predictions",
        figures={"is": "higher", "class_entropy": "higher", "accuracy": "higher"},
    )
    yield Metric(
        name="memorisation",
        summary="nearness to training images: Bai et al., 2021; Meehan et al., 2020",
        target=f"{module}:memorisation",
        figures={"mifid": "lower", "copying": ""},
    )
    yield Metric(
        name="modes",
        summary="known modes covered, share of good samples, reverse KL divergence",
        target=f"{module}:modes",
        figures={"modes": "higher", "good": "higher", "reverse_kl": "lower"},
    )
    yield Metric(
        name="within-classes",
        summary="variety within classes, relative to real images: what accuracy does not see",
        target=f"{module}:within_classes",
        figures={"class_deviation": "higher", "least_class_deviation": "higher"},
    )
