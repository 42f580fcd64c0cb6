"""ganzoo: a plugin-based GAN zoo for PyTorch with a model registry and ONNX export.

Everything here is resolved when first used, so that ``import ganzoo`` costs a server and ``--help`` nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganzoo.api import evaluate, export, load, models, report, train
    from ganzoo.hookspecs import hookimpl
    from ganzoo.specs import (
        Architecture,
        Augmentation,
        Dataset,
        Extractor,
        ImageShape,
        Loss,
        Metric,
        Model,
        Penalty,
        Reader,
    )

__version__ = "0.1.0"

_HOME = {
    "Architecture": "ganzoo.specs",
    "Augmentation": "ganzoo.specs",
    "Dataset": "ganzoo.specs",
    "Extractor": "ganzoo.specs",
    "ImageShape": "ganzoo.specs",
    "Loss": "ganzoo.specs",
    "Metric": "ganzoo.specs",
    "Model": "ganzoo.specs",
    "Penalty": "ganzoo.specs",
    "Reader": "ganzoo.specs",
    "evaluate": "ganzoo.api",
    "export": "ganzoo.api",
    "hookimpl": "ganzoo.hookspecs",
    "load": "ganzoo.api",
    "models": "ganzoo.api",
    "report": "ganzoo.api",
    "train": "ganzoo.api",
}
__all__ = [
    "Architecture",
    "Augmentation",
    "Dataset",
    "Extractor",
    "ImageShape",
    "Loss",
    "Metric",
    "Model",
    "Penalty",
    "Reader",
    "evaluate",
    "export",
    "hookimpl",
    "load",
    "models",
    "report",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'ganzoo' has no attribute {name!r}")
