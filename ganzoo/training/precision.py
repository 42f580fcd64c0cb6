"""What number format the networks run in, on what device, and on how many threads."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from ganzoo.config import PrecisionName
from ganzoo.errors import UsageError
from ganzoo.step import widen

_HALF = {PrecisionName.BF16: torch.bfloat16, PrecisionName.FP16: torch.float16}

SMALL_BATCH_FLOPS = 500_000_000

_DOCTOR = "see what is there: ganzoo doctor; or train without: --device cpu"


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


def choose_precision(name: PrecisionName, device: torch.device) -> PrecisionName:
    """The precision that ``name`` means on ``device``: ``auto`` is bf16 where that is multiplied natively, else fp32.

    bf16 has fp32's range, so it needs no loss scaling, and a penalty's double backward stays finite. fp16 is for older
    GPUs; fp64 for checking mathematics.
    """
    if name != PrecisionName.AUTO:
        return name
    return PrecisionName.BF16 if fast_bf16(device) else PrecisionName.FP32


def enter(device: torch.device, *, deterministic: bool) -> None:
    """Make ``device`` the one that streams, events and graphs belong to; call it before anything is put there.

    A device without a number is that one already.

    Args:
        deterministic: also set the environment variable by which torch asks cuBLAS for algorithms that repeat their
            results; it counts only if it is set before cuBLAS is first used in the process.
    """
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


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
def running_on(threads: int, *, tf32: bool = False, deterministic: bool = False) -> Iterator[None]:
    """Set torch's process-wide switches meanwhile; results depend on each of them to the bit.

    Args:
        threads: CPU threads that torch computes with.
        tf32: whether CUDA may multiply fp32 matrices and convolve fp32 images in TF32. torch's own default is yes for
            the one and no for the other.
        deterministic: on CUDA, only algorithms that repeat their results to the bit; else the fastest for the shapes.
    """
    matmul, convolution = torch.backends.cuda.matmul, cast(Any, torch.backends.cudnn).conv
    before = (torch.get_num_threads(), matmul.fp32_precision, convolution.fp32_precision)
    benchmark = torch.backends.cudnn.benchmark
    strict, lenient = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.set_num_threads(threads)
    matmul.fp32_precision = convolution.fp32_precision = "tf32" if tf32 else "ieee"
    torch.backends.cudnn.benchmark = not deterministic
    torch.use_deterministic_algorithms(deterministic or strict, warn_only=lenient and not deterministic)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        matmul.fp32_precision, convolution.fp32_precision = before[1:]
        torch.backends.cudnn.benchmark = benchmark
        torch.use_deterministic_algorithms(strict, warn_only=lenient)


@dataclass(frozen=True)
class Precision:
    """The policy for one run: networks compute in ``dtype``; weights, logits, losses, penalties and optimizer are fp32.

    With fp64 all of it is in fp64. channels_last is what the fast convolution kernels of CPUs (oneDNN) and of half
    precision tensor cores work in.
    """

    dtype: PrecisionName
    device: torch.device

    @property
    def master(self) -> torch.dtype:
        """The number format of weights, latents and images."""
        return torch.float64 if self.dtype == PrecisionName.FP64 else torch.float32

    @property
    def eps(self) -> float:
        """The relative step between neighbouring numbers that the networks compute in."""
        return torch.finfo(_HALF.get(self.dtype, self.master)).eps

    @property
    def scaled(self) -> bool:
        """Whether gradients would underflow if losses were not scaled: fp16's smallest number is 6e-8."""
        return self.dtype == PrecisionName.FP16

    @property
    def inner_scale(self) -> float:
        """What logits are multiplied by before a penalty's inner gradient, which is divided by it in fp32.

        In fp16, 41 % of a small critic's input gradient is zero without it, and 2^16, the usual first scale of a loss,
        is infinite itself (fp16 ends at 65,504); 2^8 leaves room on both sides.
        """
        return 2.0**8 if self.scaled else 1.0

    def widened(self, x: Tensor) -> Tensor:
        """Latents or images in the type of the weights."""
        return x.to(self.master)

    def autocast(self) -> AbstractContextManager[Any]:
        """The context that a network's forward pass runs in."""
        if self.dtype not in _HALF:
            return nullcontext()
        return torch.autocast(self.device.type, _HALF[self.dtype])

    @property
    def memory_format(self) -> torch.memory_format:
        """The memory format of the networks' weights and images."""
        fast = self.dtype in _HALF or self.device.type == "cpu"
        return torch.channels_last if fast else torch.contiguous_format

    def wider(self) -> "Precision":
        """The next more exact precision, to measure this one's rounding against."""
        return Precision(PrecisionName.FP32 if self.dtype in _HALF else PrecisionName.FP64, self.device)


def in_fp32(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``layer(x)`` outside of mixed precision (in float64 if ``x`` is): for a discriminator's last layer.

    It costs nothing there, and a logit in bf16 has 8 bits.
    """
    with torch.autocast(x.device.type, enabled=False):
        return layer(widen(x))
