"""What torchrun tells each of the processes that it starts, and how they find each other."""

import os
import secrets
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from ganzoo.errors import UsageError
from ganzoo.machine import alone

_HINT = "start it with: torchrun --nproc-per-node N -m ganzoo train …"


@dataclass(frozen=True)
class Seat:
    """One process among several.

    Args:
        rank: 0 … count - 1, over all hosts.
        local: likewise, among those on this host.
        address: host and port where they meet.
    """

    rank: int
    count: int
    local: int
    address: str


def seat() -> Seat | None:
    """This process's place among several, or None where it is alone.

    Raises:
        UsageError: the environment is not what torchrun sets.
    """
    if alone():
        return None
    numbers = {}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT"):
        text = os.environ.get(name)
        if text is None or not text.isdecimal():
            raise UsageError(f"{name} is {text!r} in the environment, and should be a number", hint=_HINT)
        numbers[name] = int(text)
    rank, count = numbers["RANK"], numbers["WORLD_SIZE"]
    if rank >= count:
        raise UsageError(f"RANK is {rank} in the environment, and WORLD_SIZE is {count}", hint=_HINT)
    host = os.environ.get("MASTER_ADDR")
    if not host:
        raise UsageError("WORLD_SIZE is set in the environment, and MASTER_ADDR is not", hint=_HINT)
    return Seat(rank, count, numbers["LOCAL_RANK"], f"{host}:{numbers['MASTER_PORT']}")


def leave(code: int) -> NoReturn:
    """End a process that has trained with others, when all is written and its connections are closed.

    The interpreter is not shut down: a gloo thread that frees a tensor meanwhile would ask for Python's lock, which
    ends the thread, and thereby the process with SIGABRT (seen in two of some thirty runs).
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def meet(place: Seat, patience: timedelta) -> Store:
    """A store that all processes of this start share with one another, and with none of an earlier start.

    torchrun keeps its store when it starts processes again, with the addresses of the dead still in it, and each host
    counts its own starts (pytorch/pytorch#135712). So rank 0 gives each start a name. A process that reads an old name
    finds out, because it is not on the list of those that were there.

    Raises:
        RuntimeError: not all of them came.
    """
    store, *_ = next(rendezvous("env://", timeout=patience))
    myself = secrets.token_hex(8)
    if place.rank == 0:
        store.set("start", myself)
        there = [store.get(f"{myself}/{rank}").decode() for rank in range(1, place.count)]
        store.set(f"{myself}/all", " ".join(there))
        return PrefixStore(myself, store)
    deadline = time.monotonic() + patience.total_seconds()
    while time.monotonic() < deadline:
        start = store.get("start").decode()
        store.set(f"{start}/{place.rank}", myself)
        if store.check([f"{start}/all"]) and myself in store.get(f"{start}/all").decode().split():
            return PrefixStore(start, store)
        time.sleep(0.05)
    raise RuntimeError("not all ranks came")
