"""The training engine. This package exports what plugins' networks and losses need of it."""

from ganzoo.step import Discriminator, Output, Step, View, widen
from ganzoo.training.precision import in_fp32

__all__ = ["Discriminator", "Output", "Step", "View", "in_fp32", "widen"]
