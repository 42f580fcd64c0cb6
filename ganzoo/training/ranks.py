"""The processes that train one run together: plain ``torch.distributed``, started by torchrun, without wrappers.

Every rank builds the same networks, draws the same global batch and computes its slice of it; the ranks average their
gradients and so take the same step. All ranks must come to the same calls in the same order: what only one of them
can know (a signal, a value that is not finite) is agreed upon first (``Ranks.any``).
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from ganzoo.config import same
from ganzoo.errors import GanzooError, UsageError, message
from ganzoo.training.precision import choose_device
from ganzoo.training.torchrun import Seat, meet, seat

PATIENCE = timedelta(minutes=30)
"""How long a rank waits for the others, which is also how long rank 0 may evaluate or write alone.

The end of a process closes its connections, which the others notice at once; this is for hosts that fall silent.
"""


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together; every method waits for all of them.

    Args:
        rank: 0 … count - 1.
        count: how many there are.

    Raises (each method):
        GanzooError: a rank was lost; after that nothing here may be called again, because it could wait for ever.
    """

    rank: int
    count: int

    @property
    def chief(self) -> bool:
        """Whether it is rank 0, which alone writes."""
        return self.rank == 0

    @torch.no_grad()
    def average_(self, tensors: Sequence[Tensor]) -> None:
        """Put the mean over the ranks in each tensor's place: one all-reduce for all of a type, however many there are.

        The tensors must have the same strides on all ranks, as gradients have if their parameters do (``check_same``).
        """
        for group, flat in self._flattened(tensors):
            self.sum_(flat)
            _put_back(group, flat.div_(self.count))

    @torch.no_grad()
    def broadcast_(self, tensors: Sequence[Tensor]) -> None:
        """Put rank 0's values in each tensor's place."""
        for group, flat in self._flattened(tensors):
            with self._together():
                dist.broadcast(flat, 0)
            _put_back(group, flat)

    def sum_(self, tensor: Tensor) -> None:
        """Put the sum over the ranks, the same to the bit on all of them, in a contiguous tensor's place."""
        if self.count > 1:
            with self._together():
                dist.all_reduce(tensor)

    def gather(self, tensor: Tensor) -> Tensor:
        """Each rank's ``tensor``: [count, …], the same on all ranks."""
        gathered = tensor.new_empty(self.count, *tensor.shape)
        if self.count == 1:
            return gathered.copy_(tensor)
        with self._together():
            dist.all_gather(list(gathered.unbind()), tensor.contiguous())
        return gathered

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is true on any rank: no device waits, because hosts agree among themselves."""
        if self.count == 1:
            return flag
        raised = torch.tensor([flag], dtype=torch.uint8)
        with self._together():
            dist.all_reduce(raised, dist.ReduceOp.MAX)
        return bool(raised)

    @contextmanager
    def chief_first(self) -> Iterator[None]:
        """Let rank 0 do what all do before the others do it: they find what it leaves in a cache, or fail as it did."""
        if not self.chief:
            self.any(False)
        try:
            yield
        finally:
            if self.chief:
                self.any(False)

    def share(self, value: Any) -> Any:
        """Rank 0's ``value`` on all ranks; it goes through JSON."""
        if self.count == 1:
            return value
        data = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        size = torch.tensor([len(data)])
        with self._together():
            dist.broadcast(size, 0)
            data = data if self.chief else torch.empty(int(size), dtype=torch.uint8)
            dist.broadcast(data, 0)
        return json.loads(data.numpy().tobytes())

    def check_told(self, settings: Mapping[str, Any]) -> None:
        """Make sure that all ranks were given the same settings, which go through JSON.

        Raises:
            UsageError: they were not; a rank whose settings differ from rank 0's says which.
        """
        first = self.share(dict(settings))
        keys = sorted(first.keys() | settings.keys())
        pairs = [(key, settings.get(key), first.get(key)) for key in keys]
        other = [f"{key} is {mine}, not {theirs}" for key, mine, theirs in pairs if not same(mine, theirs)]
        if self.any(bool(other)):
            raise UsageError(
                f"rank {self.rank} was told something else than rank 0: {'; '.join(other)}"
                if other
                else "not all ranks were told the same",
                hint="all hosts need the same command, the same data and the same kind of device",
            )

    def check_same(self, tensors: Iterable[Tensor], what: str) -> None:
        """Make sure that all ranks have the same values, with the same strides; reads every byte of them.

        Raises:
            GanzooError: they differ in ``what``.
        """
        if self.count == 1:
            return
        digest = _digest(tensors)
        extremes = torch.tensor([digest, -digest])
        with self._together():
            dist.all_reduce(extremes, dist.ReduceOp.MAX)
        if extremes.sum():  # max - min
            raise GanzooError(
                f"the ranks differ in {what}",
                hint="all hosts need the same versions of ganzoo, torch and plugins, the same data and kind of device",
            )

    def _flattened(self, tensors: Sequence[Tensor]) -> Iterator[tuple[list[Tensor], Tensor]]:
        """For each type its tensors, and all their values in one flat tensor; nothing where this rank is alone."""
        if self.count == 1:
            return
        for _, group in groupby(sorted(tensors, key=_type), _type):
            members = [_in_memory_order(tensor) for tensor in group]
            yield members, torch.cat([member.reshape(-1) for member in members])

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Around each collective: turn what torch says when a rank does not take part into an error of ours."""
        try:
            yield
        except RuntimeError as error:
            raise GanzooError(
                f"rank {self.rank} of {self.count} lost another rank: {_reason(error)}",
                hint="torchrun --max-restarts N starts all ranks again, and they go on from the newest checkpoint",
            ) from error


ALONE = Ranks(0, 1)


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """The ranks that torchrun's environment describes, connected meanwhile; ``ALONE`` where it describes none.

    Hosts talk to each other by gloo; tensors on CUDA devices go by NCCL.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; see ``local_device``.

    Raises:
        UsageError: the device is none of these; the environment is not what torchrun sets, or has more ranks than this
            host has GPUs.
        GanzooError: the ranks do not find each other.
    """
    place = seat()
    if place is None:
        yield ALONE
        return
    name = local_device(device)
    on_cuda = name.startswith("cuda")
    if on_cuda:
        _check_gpu(place)
    on = choose_device(name)
    if on_cuda:
        torch.cuda.set_device(on)
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_cuda else "gloo",
            store=meet(place, PATIENCE),
            rank=place.rank,
            world_size=place.count,
            timeout=PATIENCE,
            device_id=on if on_cuda else None,
        )
    except RuntimeError as error:
        raise GanzooError(
            f"rank {place.rank} of {place.count} does not find the others at {place.address}: {_reason(error)}",
            hint="every host must reach MASTER_ADDR at MASTER_PORT; torchrun sets both",
        ) from error
    ranks = Ranks(place.rank, place.count)
    try:
        yield ranks
        ranks.any(False)  # none closes its connections while another may still read what it sent
    except BaseException:
        # NCCL's orderly end waits for all ranks, and one that failed must not wait for those that did not.
        if not on_cuda:
            dist.destroy_process_group()
        raise
    dist.destroy_process_group()


def local_device(name: str) -> str:
    """The device that ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` means for this rank.

    Under torchrun that is the GPU of its local rank, whatever N is, because all ranks have one configuration. A text
    that names no device is returned as it is, for ``choose_device`` to refuse.
    """
    place = seat()
    if place is None or not re.fullmatch(r"auto|cuda(:\d+)?", name):
        return name
    if name == "auto" and not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{place.local}"


def is_chief() -> bool:
    """Whether this process is rank 0, or alone: the one that prints."""
    place = seat()
    return place is None or place.rank == 0


def _check_gpu(place: Seat) -> None:
    there = torch.cuda.device_count()
    if there and place.local >= there:  # without any GPU ``choose_device`` says so
        raise UsageError(
            f"local rank {place.local} has no GPU of its own: this host has {there}",
            hint=f"torchrun --nproc-per-node {there} …, or --device cpu",
        )


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype)


def _in_memory_order(tensor: Tensor) -> Tensor:
    """A view with the dimensions in order of falling strides: a dense tensor becomes a contiguous one.

    This flattens weights in channels_last five times as fast.
    """
    return tensor.permute(sorted(range(tensor.dim()), key=tensor.stride, reverse=True))


def _put_back(tensors: Sequence[Tensor], flat: Tensor) -> None:
    for tensor, values in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(values.view(tensor.shape))


def _digest(tensors: Iterable[Tensor]) -> int:
    """63 bits of BLAKE2b over each tensor's type, shape, strides and values."""
    digest = hashlib.blake2b(digest_size=8)
    for tensor in tensors:
        strides = [step for step, size in zip(tensor.stride(), tensor.shape, strict=True) if size > 1]
        digest.update(f"/{tensor.dtype} {list(tensor.shape)} {strides}/".encode())
        values = _in_memory_order(tensor.detach()).reshape(-1).cpu()
        digest.update(values.view(torch.uint8).numpy().data)
    return int.from_bytes(digest.digest(), "little") >> 1


def _reason(error: RuntimeError) -> str:
    """The first sentence of torch's message, without the place in its source."""
    text = re.sub(r"^\[[^\]]*\] *", "", next(iter(message(error).splitlines()), ""))
    return re.split(r"\. |$", text)[0]
