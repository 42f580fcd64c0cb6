"""What this process may use of the machine, and whether it trains alone."""

import os


def cores() -> int:
    """Number of CPU cores that this process may use; in a container, or pinned, fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def alone() -> bool:
    """Whether this process trains by itself; if not, torchrun started it as one of several ranks."""
    return os.environ.get("WORLD_SIZE", "1") == "1"
