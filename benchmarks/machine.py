"""The machine that a benchmark was measured on."""

import os
import platform
import statistics
import time
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

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


def matrix_rate(device: "torch.device", size: int = 8192, rounds: int = 20) -> float:
    """Floating-point operations per second in a product of large bf16 matrices: the most that a GPU can do."""
    import torch

    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for _ in range(rounds):
        torch.cuda.synchronize(device)
        begin = time.perf_counter()
        torch.mm(a, b)
        torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - begin)
    return 2 * size**3 / statistics.median(seconds)
