"""The environment: what results depend on besides configuration and data, which are versions and hardware."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

LIBRARIES = ("ganzoo", "torch", "numpy", "onnx", "onnxscript", "pillow", "safetensors", "scikit-learn")


def describe(ranks: int = 1) -> dict[str, Any]:
    """The environment as JSON, without anything that names the machine.

    Args:
        ranks: processes that share each batch.
    """
    hardware: dict[str, str | None] = {"cpu": torch.backends.cpu.get_cpu_capability()}
    if torch.cuda.is_available():
        hardware |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "hardware": hardware,
        "ranks": ranks,
    }


def launch() -> str:
    """Name of this launch of torchrun: the same on all its ranks and after their restarts; empty without torchrun."""
    name = os.environ.get("TORCHELASTIC_RUN_ID", "")
    return f"{name}/{os.getppid()}" if name == "none" else name  # "none" unless torchrun was given an id


def named() -> bool:
    """Whether the launch has a name of its own, which no later launch has unless a person gives it again."""
    return os.environ.get("TORCHELASTIC_RUN_ID", "none") not in ("", "none")


def restarted() -> bool:
    """Whether torchrun has started its processes again because one of them failed.

    torchrun does not count restarts that happen because a host came or went.
    """
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
