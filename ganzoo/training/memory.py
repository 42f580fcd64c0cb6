"""Running out of memory: an error that says which batch would fit, instead of a traceback."""

import gc
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ganzoo.errors import GanzooError
from ganzoo.networks.allocation import is_out_of_memory
from ganzoo.training.batch import Batch
from ganzoo.training.executors.eager import Executor
from ganzoo.training.executors.unmoved import unmoved
from ganzoo.training.trainer import Trainer

SMALLEST = 2


@contextmanager
def explained(trainer: Trainer) -> Iterator[None]:
    """Around the training: turn a lack of memory into an error that says what would fit.

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


def fitting_batch(trainer: Trainer) -> int | None:
    """How many images fit at once: the largest of 1, 1/2, 1/4, … of the number that was tried; None: none of these.

    Both phases must fit. For a process on its own: the trial of one rank would wait for the others in BatchNorm.
    """
    trainer.use_eager()  # graphs hold a whole batch's activations
    size = _at_once(trainer)
    while size >= SMALLEST:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if _fits(trainer, size):
            return size
        size //= 2
    return None


def _at_once(trainer: Trainer) -> int:
    return trainer.config.batch // trainer.ranks.count // trainer.config.accumulate


def _fits(trainer: Trainer, size: int) -> bool:
    """Whether a step fits, beside what the optimizers will keep: Adam's two moments of each weight, until they do."""
    eager = Executor(trainer.objective, {}, trainer.ranks)
    try:
        new = [weight for each in trainer.optimizations.values() if not each.moments() for weight in each.weights]
        held = [torch.empty_like(weight) for weight in new for _ in range(2)]
        batch: Batch = trainer.batches.draw(trainer.steps_done, 0).map(lambda tensor: tensor[:size].clone())
        with unmoved(trainer.objective):
            images = None if trainer.config.accumulate > 1 else eager.generate(batch, graph=True)
            for phase in trainer.objective.everything():
                trainer.ready(phase)
                eager.learn(phase, batch, images, None)
        del held  # and not before
    except (RuntimeError, MemoryError) as error:
        traceback.clear_frames(error.__traceback__)
        if not is_out_of_memory(error):
            raise
        return False
    return True


def _too_large(trainer: Trainer) -> GanzooError:
    config, ranks, at_once = trainer.config, trainer.ranks.count, _at_once(trainer)
    what = f"out of memory on {config.device}"
    fits = fitting_batch(trainer) if ranks == 1 else at_once // 2
    if fits == at_once:
        return GanzooError(
            f"{what}, although {at_once} images at once fit by themselves",
            hint="other programs may hold the rest, or what is done beside the steps needs more: --batch, --size",
        )
    each = f" on each of {ranks} ranks" if ranks > 1 else ""
    what = f"{what}: {at_once} images at once{each} are too many"
    if not fits:
        return GanzooError(what, hint="a smaller --size, or fewer or narrower layers (--set options.…)")
    smaller = f"--batch {fits * ranks * config.accumulate}"
    parts = next(parts for parts in range(2, at_once + 1) if at_once % parts == 0 and at_once // parts <= fits)
    if at_once // parts >= SMALLEST:
        smaller += f", or --accumulate {parts * config.accumulate} to compute the batch of {config.batch} in parts"
    return GanzooError(what if ranks > 1 else f"{what}, and {fits} would fit", hint=smaller)
