"""What this process may take of memory and time; on Windows as much as there is."""

import contextlib
import sys


def limit(memory: int, seconds: int) -> None:
    """Bound what this process may take, and let the kernel end it first where memory is short.

    Args:
        memory: bytes of data.
        seconds: processor seconds, of all threads together.
    """
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (_within(memory), _hard()))
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    ends = [wanted if most == resource.RLIM_INFINITY else min(wanted, most) for wanted in (seconds, seconds + 1)]
    resource.setrlimit(resource.RLIMIT_CPU, (ends[0], ends[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb") as file:
        file.write(b"1000")


def allow_memory(times: float) -> None:
    """Let this process have as many times the memory that it took so far, and half of that: it grows with the rows."""
    if sys.platform == "win32":
        return
    import resource

    taken = peak()
    before = resource.getrlimit(resource.RLIMIT_DATA)[0]
    resource.setrlimit(resource.RLIMIT_DATA, (_within(max(before, int(taken * times * 1.5))), _hard()))


def peak() -> int:
    """Most bytes of memory that this program took so far.

    Not by ``getrusage`` where there is another way: Linux counts in what the process took before it became this
    program, and that was a copy of the one that started it.
    """
    import resource

    try:
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _hard() -> int:
    import resource

    return resource.getrlimit(resource.RLIMIT_DATA)[1]


def _within(wanted: int) -> int:
    """The limit that may be set, of the one that is wanted."""
    import resource

    return wanted if _hard() == resource.RLIM_INFINITY else min(wanted, _hard())
