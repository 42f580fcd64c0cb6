"""Which of several evaluations is the best."""

import math
from collections.abc import Mapping

RANKED_BY = ("fd", "reverse_kl")
"""The figure that decides: the first of these that there is. Lower is better in all of them."""


def rank(figures: Mapping[str, float]) -> float:
    """Lower is better; infinite where none of ``RANKED_BY`` is known."""
    return next((figures[name] for name in RANKED_BY if name in figures), math.inf)
