"""Figures of quality: what a generator is worth, in numbers that can be compared.

This package exports what a plugin's metric, modes or extractor need.
"""

from ganzoo.evaluation.clipped import clipped_density_coverage
from ganzoo.evaluation.counting import Tally, mode_figures
from ganzoo.evaluation.evidence import Evidence, Sample
from ganzoo.evaluation.features import CLASSES, FeatureExtractor
from ganzoo.evaluation.figures import Moments, frechet_distance, kernel_distance, mifid, nearer, prdc
from ganzoo.evaluation.modes import Modes
from ganzoo.evaluation.monge import monge_distance
from ganzoo.evaluation.within import WithinClasses, class_deviations

__all__ = [
    "CLASSES",
    "Evidence",
    "FeatureExtractor",
    "Modes",
    "Moments",
    "Sample",
    "Tally",
    "WithinClasses",
    "class_deviations",
    "clipped_density_coverage",
    "frechet_distance",
    "kernel_distance",
    "mifid",
    "mode_figures",
    "monge_distance",
    "nearer",
    "prdc",
]
