"""Training's random numbers: a function of (seed, stream, step, phase), never of what was drawn before.

So a resumed run needs only its step counter, and every rank of a distributed one draws the same global batch.
(Reseeding at each step is edm2's idea: Karras et al., 2024.)
"""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor


def derive(seed: int, stream: str, *position: int | str) -> int:
    """A 63-bit seed for one place in the run: the head of BLAKE2b("seed/stream/position")."""
    text = "/".join([str(seed), stream, *map(str, position)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


@dataclass(frozen=True)
class Order:
    """Which of ``images`` images each phase shows: ``batch`` of them, uniformly and with replacement.

    ``part`` (number, count) says which part of them is this process's. They are drawn on the CPU from a stream of their
    own, so that neither the device nor other draws decide what a run is shown; and without state, so that any thread
    can look ahead.
    """

    seed: int
    images: int
    batch: int
    part: tuple[int, int] = (0, 1)

    def rows(self, step: int, phase: int) -> Tensor:
        """Indices of one phase's images: [B] in int64, on the CPU; with several processes, this one's part of them."""
        generator = torch.Generator().manual_seed(derive(self.seed, "indices", step, phase))
        rows = torch.randint(self.images, (self.batch,), generator=generator)
        number, parts = self.part
        return rows.tensor_split(parts)[number]


class Draws:
    """One torch generator on ``device``, reseeded for each phase.

    Args:
        rank: networks that draw for themselves draw other numbers in each process; the batch is the same in all.
    """

    def __init__(self, seed: int, device: torch.device, rank: int = 0) -> None:
        self._seed = seed
        self._own = (rank,) if rank else ()
        self._generator = torch.Generator(device)
        # Not by torch.manual_seed, which also looks for every other kind of device: 200 µs, 2 % of a small model's
        # step.
        self._torchs = [torch.default_generator]
        if device.type == "cuda":
            torch.cuda.init()  # type: ignore[no-untyped-call]
            index = torch.cuda.current_device() if device.index is None else device.index
            self._torchs.append(torch.cuda.default_generators[index])

    def begin(self, step: int, phase: int) -> torch.Generator:
        """The generator for one phase; torch's own, which networks may use (dropout, noise), is reseeded too."""
        own = derive(self._seed, "network", step, phase, *self._own)
        for generator in self._torchs:
            generator.manual_seed(own)
        self._generator.manual_seed(derive(self._seed, "batch", step, phase))
        return self._generator
