"""Real images for each step: ``Order`` decides which; a feed brings them to the device in time.

They travel as bytes, a quarter of what fp32 takes, and become floats on the device that the networks run on.
"""

import mmap
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganzoo.config import RunConfig
from ganzoo.data import ImageSet
from ganzoo.training.draws import Order
from ganzoo.training.precision import Precision
from ganzoo.training.ranks import ALONE, Ranks

RESIDENT_SHARE = 0.4
"""Share of a CUDA device's free memory that the images may take; the rest is for the networks."""

BLOCK = 2**26
"""Bytes of images that are copied to the device at once: a mapped set may be larger than memory."""

AHEAD = 4
"""Batches that are read before they are asked for."""

READERS = 2
"""Threads that read batches ahead, so that one can wait for the disk while another copies."""


class Feed(ABC):
    """The real images and labels of each phase, as a function of (step, phase) alone.

    Args:
        images: the whole set.
        precision: says on what device and in what memory format batches are wanted.
        order: which images each phase shows.
    """

    def __init__(self, images: ImageSet, precision: Precision, order: Order) -> None:
        self.shape = images.shape
        self._device = precision.device
        self._memory_format = precision.memory_format
        self._order = order
        labels = images.labels
        self._labels = None if labels is None else torch.from_numpy(_writable(labels)).to(self._device)
        self._half_step = torch.tensor(1 / 255, device=self._device)

    def images(self, step: int, phase: int) -> Tensor:
        """[B, C, H, W] on the device and in the memory format: fp32 on [-1, 1], u / 127.5 - 1 for each value u."""
        centred = self._bytes(step, phase).to(torch.float32, memory_format=self._memory_format)
        # (u - 128) * 2 / 255 + 1 / 255: one pass over the batch, where a product and a difference are two.
        return torch.add(self._half_step, centred, alpha=2 / 255, out=centred)

    def labels(self, step: int, phase: int) -> Tensor | None:
        """[B] in int64 on the device, or None where the set has none."""
        return None if self._labels is None else self._labels.index_select(0, self._rows(step, phase))

    def _rows(self, step: int, phase: int) -> Tensor:
        return self._sent(self._order.rows(step, phase))

    def _sent(self, tensor: Tensor) -> Tensor:
        """The tensor on the device; sent from pinned memory, so that nothing waits for the copy."""
        if self._device.type == "cpu":
            return tensor
        return tensor.pin_memory().to(self._device, non_blocking=True)

    @abstractmethod
    def _bytes(self, step: int, phase: int) -> Tensor:
        """int8 [B, C, H, W] on the device, in any memory format: u - 128."""


class Resident(Feed):
    """A feed with all images of the set on the device, one byte per value, so that no loader stands before the step.

    On a CPU, too, the images are copied, into the networks' memory format: to convert each batch of colour images costs
    more than the rest of its way.
    """

    def __init__(self, images: ImageSet, precision: Precision, order: Order) -> None:
        super().__init__(images, precision, order)
        # For channels_last, the stored tensor has the channels last in its shape, too: rows of a contiguous tensor are
        # copied as blocks, those of a permuted one byte by byte.
        self._channels_at = 3 if self._memory_format is torch.channels_last else 1
        shape = list(images.pixels.shape)
        shape.insert(self._channels_at, shape.pop(1))
        self._pixels = torch.empty(shape, dtype=torch.int8, device=self._device)
        rows = max(1, BLOCK // images.pixels[0].nbytes)
        for first in range(0, len(images), rows):
            block = _centred(images.pixels[first : first + rows])
            self._pixels[first : first + rows] = block.movedim(1, self._channels_at)

    def _bytes(self, step: int, phase: int) -> Tensor:
        return self._pixels.index_select(0, self._rows(step, phase)).movedim(self._channels_at, 1)


class Streamed(Feed):
    """A feed of images that stay in memory or in a mapped file, and come to the device batch by batch.

    The next ``AHEAD`` batches are read by threads of their own, which end with the feed.
    """

    def __init__(self, images: ImageSet, precision: Precision, order: Order, critic_steps: int) -> None:
        super().__init__(images, precision, order)
        self._pixels = np.asarray(images.pixels)
        self._critic_steps = critic_steps
        self._coming: dict[tuple[int, int], Future[Tensor]] = {}
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="ganzoo-feed")

    def _bytes(self, step: int, phase: int) -> Tensor:
        place = step * self._critic_steps + phase
        wanted = [divmod(each, self._critic_steps) for each in range(place, place + 1 + AHEAD)]
        for stale in self._coming.keys() - set(wanted):  # batches that a jump passed over
            self._coming.pop(stale).cancel()
        for position in wanted:
            if position not in self._coming:
                self._coming[position] = self._readers.submit(self._job(*position))
        return self._sent(self._coming.pop((step, phase)).result())

    def _job(self, step: int, phase: int) -> Callable[[], Tensor]:
        """A function that reads one batch, on any thread; it does not hold the feed, which else could not end."""
        pinned = self._device.type == "cuda"
        return partial(_read, self._pixels, self._order.rows(step, phase), pinned)


def open_feed(images: ImageSet, precision: Precision, config: RunConfig, ranks: Ranks = ALONE) -> Feed:
    """A feed of this rank's share of each batch: with the whole set on the device if it fits, else batch by batch."""
    order = Order(config.seed, len(images), config.batch, (ranks.rank, ranks.count))
    if _fits(images.pixels, precision.device):
        return Resident(images, precision, order)
    return Streamed(images, precision, order, config.critic_steps)


def _fits(pixels: NDArray[np.uint8], device: torch.device) -> bool:
    """Whether the device can hold the pixels; a CPU does if they are in its memory already."""
    if device.type == "cpu":
        return not _mapped(pixels)
    free, _ = torch.cuda.mem_get_info(device)
    return pixels.nbytes <= RESIDENT_SHARE * free


def _mapped(array: object) -> bool:
    """Whether an array is a view of a mapped file, however many views lie between."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


def _read(pixels: NDArray[np.uint8], rows: Tensor, pinned: bool) -> Tensor:
    batch = _centred(pixels[rows.numpy()])
    return batch.pin_memory() if pinned else batch


def _centred(pixels: NDArray[np.uint8]) -> Tensor:
    """u - 128 in int8.

    A multiply-add from there, rounded once, gives exactly -1 and 1 at the ends; from u it would exceed 1, because the
    float next to 2 / 255 is larger than that. NumPy computes it, because each thread that computes with torch gets
    OpenMP threads of its own, and they slow the training down: the resident feed's operations took 3 times as long
    (benchmarks/data.py).
    """
    return torch.from_numpy((pixels ^ np.uint8(128)).view(np.int8))


def _writable(array: NDArray[Any]) -> NDArray[Any]:
    """The array, or a copy of a read-only one, which torch does not take."""
    return np.require(array, requirements="W")
