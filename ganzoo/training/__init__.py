"""The training engine. What a plugin's networks and losses need of it stands here.

Resolved when first used: ``ganzoo.training.run`` is read where torch is not wanted.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganzoo.training.step import Discriminator, Output, Step, View, in_fp32, widen

__all__ = ["Discriminator", "Output", "Step", "View", "in_fp32", "widen"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("ganzoo.training.step"), name)
    raise AttributeError(f"module 'ganzoo.training' has no attribute {name!r}")
