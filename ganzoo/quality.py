"""Which of several evaluations is the best."""

import math
from collections.abc import Mapping


def rank(figures: Mapping[str, float]) -> float:
    """Lower is better: the Fréchet distance, else minus the modes found and, among equals, the share of good samples.

    Infinite where neither is known, or no mode was found: such an evaluation is never the best.
    """
    if "fd" in figures:
        return figures["fd"]
    return -(figures["modes"] + figures["good"]) if figures.get("modes") else math.inf


def reason(figures: Mapping[str, float]) -> str:
    """What ``rank`` looks at, for a person."""
    looked_at = ["fd"] if "fd" in figures else ["modes", "good"]
    return ", ".join(f"{name} {figures[name]:.4g}" for name in looked_at if name in figures)
