"""What this process may use of the machine, and whether it trains alone."""

import contextlib
import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
PROCESSES = Path("/proc")

QUIET = {"ORT_DISABLE_TELEMETRY": "1"}
"""Variables that keep dependencies from doing what nobody asked for. They are read when a dependency is imported, which
somebody else's plugin may do first, and children inherit them."""


def keep_quiet() -> None:
    """Set the variables of ``QUIET`` that the person has not set."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def cores() -> int:
    """Number of CPU cores that this process may use; in a container, or pinned, fewer than the machine has."""
    return max(1, math.ceil(min(len(processors()), quota(CGROUPS))))


def processors() -> set[int]:
    """The numbers of the processors that this thread may run on."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def quota(cgroups: Path) -> float:
    """CPU seconds a second that the control group (version 2, else 1) allows; infinity: any number."""
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        allowed, period = (cgroups / "cpu.max").read_text("utf-8").split()
        return math.inf if allowed == "max" else int(allowed) / int(period)
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        allowed = (cgroups / "cpu" / "cpu.cfs_quota_us").read_text("utf-8")
        period = (cgroups / "cpu" / "cpu.cfs_period_us").read_text("utf-8")
        return math.inf if int(allowed) < 0 else int(allowed) / int(period)
    return math.inf


def memory() -> float:
    """Bytes that this process may still take: of the machine, of its container, of its own limit; infinity: unknown."""
    return max(0.0, min(free(PROCESSES), left(CGROUPS), _addresses()))


def free(processes: Path) -> float:
    """Bytes that the machine can give without taking them from another process; infinity where Linux does not say."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        found = _table(processes / "meminfo")
        return 1024 * (found["MemAvailable:"] + found["SwapFree:"])
    return math.inf


def left(cgroups: Path) -> float:
    """Bytes that the control group (version 2, else 1) has left; cached files, which it can give back, do not count."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        allowed, used = ((cgroups / f"memory.{name}").read_text("utf-8") for name in ("max", "current"))
        return int(allowed) - int(used) + _table(cgroups / "memory.stat")["inactive_file"]
    with contextlib.suppress(OSError, ValueError, KeyError):
        old = cgroups / "memory"
        allowed, used = ((old / f"memory.{name}_in_bytes").read_text("utf-8") for name in ("limit", "usage"))
        return int(allowed) - int(used) + _table(old / "memory.stat")["total_inactive_file"]
    return math.inf


def alone() -> bool:
    """Whether this process trains by itself; if not, torchrun started it as one of several ranks."""
    return os.environ.get("WORLD_SIZE", "1") == "1"


def _addresses() -> float:
    """Bytes of addresses that are left of what ``ulimit -v`` allows."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # not on Windows

        allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
        if allowed != resource.RLIM_INFINITY:
            pages = int((PROCESSES / "self" / "statm").read_text("utf-8").split()[0])
            return allowed - pages * resource.getpagesize()
    return math.inf


def _table(path: Path) -> dict[str, int]:
    """The first two words of each line: a name, and its number."""
    return {name: int(number) for name, number, *_ in map(str.split, path.read_text("utf-8").splitlines())}
