"""Tells a lack of memory from other errors, and explains one that comes before the first step."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ganzoo.errors import GanzooError, message


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: CUDA has an exception of its own for that, the CPU's allocator only a message."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in message(error)


@contextmanager
def assembling(device: str) -> Iterator[None]:
    """Around the making of networks and feeds, before the first step.

    Raises:
        GanzooError: the networks or the images are too large for the device.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise GanzooError(
            f"out of memory on {device}: the networks or the images do not fit",
            hint="a smaller --size, or fewer or narrower layers (--set options.…)",
        ) from error
