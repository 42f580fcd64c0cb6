"""Memory for images: asked for before it is taken, and shared among threads."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Condition

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import UsageError
from ganzoo.machine import memory

SLACK = 2**25
"""Bytes that stay free: what is free is not known more exactly."""

_HINT = "`ganzoo data pack` writes a set to a file that is not held in memory; or choose a smaller --size"


class DoesNotFit(UsageError):  # noqa: N818 - it says what is wrong, not that it is an error
    """Images need more memory than there is."""


def allocate(shape: Sequence[int], copies: int = 1) -> NDArray[np.uint8]:
    """An array for images [N, C, H, W], whose values are still undefined.

    Args:
        copies: how many times as much will be needed in all: twice, where the set is split later.

    Raises:
        DoesNotFit: there is less memory.
    """
    require_for(shape, copies)
    try:
        return np.empty(shape, np.uint8)
    except (MemoryError, ValueError) as error:  # where nobody says what is free; or more bytes than an array can have
        raise DoesNotFit(f"{_described(shape)} do not fit into memory", hint=_HINT) from error


def require_for(shape: Sequence[int], copies: int = 1) -> None:
    """Refuse images [N, C, H, W] in uint8 that do not fit into memory ``copies`` times.

    Raises:
        DoesNotFit: there is less.
    """
    require(copies * math.prod(shape), _described(shape), _HINT)


def require(need: int, what: str, hint: str) -> None:
    """Refuse what needs more bytes than there are, with what else a program always needs.

    Args:
        what: what needs them, in the plural.

    Raises:
        DoesNotFit: there are fewer.
    """
    if not fits(need):
        free = _amount(memory())
        raise DoesNotFit(f"{what} need {_amount(need + SLACK)} of memory, and {free} are free", hint=hint)


def fits(need: int) -> bool:
    """Whether that many bytes are free."""
    return need + SLACK <= memory()


class Allowance:
    """Bytes that threads share; whoever asks for more than all of them waits until nobody else has any."""

    def __init__(self, total: float) -> None:
        self._total = total
        self._taken = 0
        self._changed = Condition()

    @contextmanager
    def take(self, need: int) -> Iterator[None]:
        """Hold ``need`` bytes; waits until they are there."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + need <= self._total)
            self._taken += need
        try:
            yield
        finally:
            with self._changed:
                self._taken -= need
                self._changed.notify_all()


def _described(shape: Sequence[int]) -> str:
    count, channels, height, width = shape
    return f"{count:,} images of {width:,}x{height:,} pixels in {'grey' if channels == 1 else 'colour'}"


def _amount(size: float) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{max(size, 0) / 1e6:,.1f} MB"
