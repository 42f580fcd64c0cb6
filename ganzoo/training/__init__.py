"""The training engine. What a plugin's networks and losses need of it stands here; torch is imported from here on."""

from ganzoo.training.step import Discriminator, Output, Step, View

__all__ = ["Discriminator", "Output", "Step", "View"]
