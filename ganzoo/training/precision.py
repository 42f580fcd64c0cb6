"""What number format the networks run in, on what device, and on how many threads."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch

from ganzoo.errors import UsageError

Dtype = Literal["fp32", "bf16"]

SMALL_BATCH_FLOPS = 500_000_000

_DOCTOR = "ganzoo doctor shows what is there; --device cpu trains without one"


def choose_device(name: str) -> torch.device:
    """``auto`` (CUDA when there is a device), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: the name is none of these, or CUDA is asked for and not there.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise UsageError(f"unknown device {name!r}", hint="choose one of: auto, cpu, cuda, cuda:N")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(
            f"device {name!r} was asked for, and torch {torch.__version__} finds no CUDA device",
            hint=_DOCTOR,
        )
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        last = torch.cuda.device_count() - 1
        raise UsageError(f"device {name!r} was asked for, and the last one is cuda:{last}", hint=_DOCTOR)
    return device


def choose_precision(name: str, device: torch.device) -> Dtype:
    """``fp32``, ``bf16``, or ``auto``: bf16 where the hardware multiplies it natively.

    bf16 has fp32's range, so it needs no loss scaling, and a penalty's double backward stays finite.
    """
    if name == "auto":
        return "bf16" if fast_bf16(device) else "fp32"
    if name not in ("fp32", "bf16"):
        raise UsageError(f"unknown precision {name!r}", hint="choose one of: auto, bf16, fp32")
    return "bf16" if name == "bf16" else "fp32"


def fast_bf16(device: torch.device) -> bool:
    """Whether the device has bf16 matrix instructions (compute capability 8.0; AVX512-BF16 or AMX)."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def choose_threads(flops: int) -> int:
    """How many CPU threads a batch of ``flops`` (both networks' forward passes) is worth.

    Below ``SMALL_BATCH_FLOPS`` a second thread gains nothing, and where other programs want the core it costs a
    lot: each of a step's hundreds of tiny operations ends with a barrier at which one thread spins for the other.
    """
    return 1 if flops < SMALL_BATCH_FLOPS else torch.get_num_threads()


@contextmanager
def running_on(threads: int) -> Iterator[None]:
    """Let torch use ``threads`` CPU threads meanwhile; results depend on it to the bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Precision:
    """The policy for one run: weights, logits, losses, penalties and optimizer in fp32, networks in ``dtype``.

    channels_last is what the fast convolution kernels of CPUs (oneDNN) and of bf16 tensor cores work in.
    """

    dtype: Dtype
    device: torch.device

    def autocast(self) -> AbstractContextManager[Any]:
        """The context that a network's forward pass runs in."""
        if self.dtype == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    @property
    def memory_format(self) -> torch.memory_format:
        """For the networks' weights and images."""
        fast = self.dtype == "bf16" or self.device.type == "cpu"
        return torch.channels_last if fast else torch.contiguous_format
