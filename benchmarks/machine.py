"""What a benchmark's figures were read on."""

import os
import platform
from importlib import metadata

LIBRARIES = ("click", "ganzoo", "numpy", "onnxruntime-gpu", "torch")


def describe() -> dict[str, object]:
    """Cores, CPU capability and versions; asked after measuring, because it imports torch."""
    import torch

    installed = {distribution.name for distribution in metadata.distributions()}
    found: dict[str, object] = {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "native_bf16": bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
    }
    return found | {name: metadata.version(name) for name in LIBRARIES if name in installed}
