"""Out of memory: a word about the batch that would fit, instead of a traceback."""

import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ganzoo.errors import GanzooError
from ganzoo.training.batch import Batch
from ganzoo.training.objective import Phase
from ganzoo.training.selftest import unmoved
from ganzoo.training.trainer import Trainer

SMALLEST = 2


@contextmanager
def explained(trainer: Trainer) -> Iterator[None]:
    """Around the training: say what would fit where something did not.

    Raises:
        GanzooError: the device's memory is full.
    """
    full = False
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        full = True
        traceback.clear_frames(error.__traceback__)  # they hold the step's activations
    if full:
        raise _too_large(trainer)


def is_out_of_memory(error: BaseException) -> bool:
    """CUDA has an exception of its own for it; the CPU's allocator tells in words."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def fitting_batch(trainer: Trainer) -> int | None:
    """The largest of 1/2, 1/4, … of what was computed at once that both phases can be computed for; None: none can."""
    config = trainer.config
    size = config.batch // trainer.ranks.count // config.accumulate // 2
    while size >= SMALLEST:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if _fits(trainer, size):
            return size
        size //= 2
    return None


def _fits(trainer: Trainer, size: int) -> bool:
    critic = Phase("discriminator", tuple(range(len(trainer.objective.penalties))))
    try:
        batch: Batch = trainer.batches.draw(trainer.steps_done, 0, real=True).map(lambda tensor: tensor[:size].clone())
        for phase in (critic, Phase("generator")):
            with unmoved(trainer.objective):
                trainer.objective.gradients(phase, batch, None)
    except (RuntimeError, MemoryError) as error:
        traceback.clear_frames(error.__traceback__)
        if not is_out_of_memory(error):
            raise
        return False
    return True


def _too_large(trainer: Trainer) -> GanzooError:
    config = trainer.config
    at_once = config.batch // trainer.ranks.count // config.accumulate
    fits = fitting_batch(trainer)
    what = f"out of memory on {config.device}: {at_once} images at once are too many"
    if fits is None:
        return GanzooError(what, hint="a smaller --size, or fewer or narrower layers (--set options.…)")
    parts = config.accumulate * -(-at_once // fits)
    return GanzooError(
        f"{what}, and {fits} would fit",
        hint=f"--batch {fits * trainer.ranks.count * config.accumulate}, or --accumulate {parts} to compute the batch "
        f"of {config.batch} in parts",
    )
