"""Out of memory, told from other errors, and said before there is anything to train."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ganzoo.errors import GanzooError


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA has an exception of its own for it; the CPU's allocator tells in words."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


@contextmanager
def assembling(device: str) -> Iterator[None]:
    """Around what is made before the first step.

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
