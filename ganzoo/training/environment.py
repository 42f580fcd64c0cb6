"""What results depend on besides configuration and data: versions and hardware."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

LIBRARIES = ("ganzoo", "torch", "numpy", "onnx", "onnxscript", "pillow", "safetensors", "scikit-learn")


def describe() -> dict[str, Any]:
    """As JSON, without anything that names the machine."""
    hardware: dict[str, str | None] = {"cpu": torch.backends.cpu.get_cpu_capability()}
    if torch.cuda.is_available():
        hardware |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "hardware": hardware,
    }


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
