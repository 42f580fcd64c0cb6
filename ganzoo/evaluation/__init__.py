"""Figures of quality: what a generator is worth, in numbers that can be compared."""

from ganzoo.evaluation.modes import Modes

__all__ = ["Modes"]
