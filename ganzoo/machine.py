"""What this process may use of the machine, and whether it trains alone."""

import contextlib
import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def cores() -> int:
    """Number of CPU cores that this process may use; in a container, or pinned, fewer than the machine has."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(usable, quota(CGROUPS))))


def quota(cgroups: Path) -> float:
    """CPU seconds a second that the control group (version 2, else 1) allows; infinity: any number."""
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        allowed, period = (cgroups / "cpu.max").read_text().split()
        return math.inf if allowed == "max" else int(allowed) / int(period)
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        allowed = (cgroups / "cpu" / "cpu.cfs_quota_us").read_text()
        period = (cgroups / "cpu" / "cpu.cfs_period_us").read_text()
        return math.inf if int(allowed) < 0 else int(allowed) / int(period)
    return math.inf


def alone() -> bool:
    """Whether this process trains by itself; if not, torchrun started it as one of several ranks."""
    return os.environ.get("WORLD_SIZE", "1") == "1"
