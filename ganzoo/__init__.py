"""ganzoo: a plugin-based GAN zoo for PyTorch with a model registry and ONNX export.

Each name is imported when it is first used, so that ``import ganzoo`` costs a server and ``--help`` nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ganzoo.version import __version__ as __version__

if TYPE_CHECKING:
    from ganzoo import api as api, observer as observer
    from ganzoo.api import (
        create as create,
        evaluate as evaluate,
        export as export,
        list_models as list_models,
        load as load,
        load_torch as load_torch,
        models as models,
        plan as plan,
        report as report,
        train as train,
    )
    from ganzoo.controls import Control as Control
    from ganzoo.errors import (
        GanzooError as GanzooError,
        IntegrityError as IntegrityError,
        MissingPackageError as MissingPackageError,
        NotFoundError as NotFoundError,
        PluginError as PluginError,
        TrainingStopped as TrainingStopped,
        UsageError as UsageError,
    )
    from ganzoo.hookspecs import hookimpl as hookimpl
    from ganzoo.records.result import TrainResult as TrainResult
    from ganzoo.records.run import Run as Run
    from ganzoo.specs import (
        Architecture as Architecture,
        Augmentation as Augmentation,
        Dataset as Dataset,
        Extractor as Extractor,
        ImageShape as ImageShape,
        Loss as Loss,
        Metric as Metric,
        Model as Model,
        Optimizer as Optimizer,
        Penalty as Penalty,
        Preset as Preset,
        Reader as Reader,
        Spec as Spec,
    )

_HOME = {
    "ganzoo.api": "create evaluate export list_models load load_torch models plan report train",
    "ganzoo.controls": "Control",
    "ganzoo.errors": "GanzooError IntegrityError MissingPackageError NotFoundError PluginError UsageError",
    "ganzoo.hookspecs": "hookimpl",
    "ganzoo.records.result": "TrainResult",
    "ganzoo.records.run": "Run",
    "ganzoo.specs": (
        "Architecture Augmentation Dataset Extractor ImageShape Loss Metric Model Optimizer Penalty Preset Reader Spec"
    ),
}
"""Module -> the names that are public here."""

_FOR_CALLERS = {"ganzoo.errors": "TrainingStopped"}
"""The same of names that no plugin needs: ``__all__``, and docs/contract.md, leave them out."""

_MODULES = ("api", "observer")
"""Modules whose names docs/python.md lists as ``ganzoo.api.ranked``, say."""

__all__ = ["__version__", *(name for names in _HOME.values() for name in names.split())]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"ganzoo.{name}")
    for module, names in (*_HOME.items(), *_FOR_CALLERS.items()):
        if name in names.split():
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'ganzoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
