"""A network's weights and buffers: as the bytes of a safetensors file, and back."""

from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from ganzoo.errors import IntegrityError


def network_bytes(module: nn.Module) -> bytes:
    """A network's weights and buffers as a safetensors file."""
    weights = module.state_dict()
    stored, copied = host_copies(weights), mark_copies(weights)
    if copied is not None:
        copied.synchronize()
    return save(stored)


def load_network(module: nn.Module, data: bytes, source: str) -> None:
    """Fill ``module`` from what ``network_bytes`` made.

    Args:
        source: names the data in messages.

    Raises:
        IntegrityError: the tensors are not this network's.
    """
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise IntegrityError(f"{source}: not a safetensors file ({error})") from error
    targets = dict(module.state_dict())
    copy_into(targets, tensors, source)
    if foreign := sorted(tensors.keys() - targets.keys()):
        raise IntegrityError(f"{source}: is another model's: there is no {foreign[0]} here")


@torch.no_grad()
def copy_into(targets: Mapping[str, Tensor], tensors: Mapping[str, Tensor], source: object) -> None:
    """Write ``tensors`` into those of ``targets`` that have their names.

    Raises:
        IntegrityError: one is missing, or has another shape; the message names ``source``, where they came from.
    """
    for key, target in targets.items():
        found = tensors.get(key)
        if found is None or found.shape != target.shape:
            has = "nothing" if found is None else f"{list(found.shape)}"
            raise IntegrityError(f"{source}: is another model's: {key} should be {list(target.shape)}, and is {has}")
        target.copy_(found)


def host_copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies in host memory, dense and sharing no memory: tied weights are stored under each of their names.

    From a CUDA device they go into pinned memory, in the stream that the training uses: its next update waits for the
    copies by itself, and the host waits for neither. Another stream would need a copy on the device, too.
    """
    return {
        key: torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda).copy_(
            tensor.detach(), non_blocking=tensor.is_cuda
        )
        for key, tensor in tensors.items()
    }


def mark_copies(tensors: Mapping[str, Tensor]) -> torch.cuda.Event | None:
    """An event after everything that the device was asked for so far; None if no tensor is on a device."""
    if not any(tensor.is_cuda for tensor in tensors.values()):
        return None
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return event
