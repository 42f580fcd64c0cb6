"""Locks of directories, which many share or one holds alone; the system lets go of them when a process ends."""

import errno
import fcntl
import os
from pathlib import Path

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL)
"""What file systems, mostly of networks, say where a directory cannot be locked."""


def opened(directory: Path) -> int | None:
    """A descriptor of a directory; None: it may not be read, or the system opens none, as Windows does."""
    try:
        return os.open(directory, os.O_RDONLY)
    except PermissionError:
        return None


def lock(descriptor: int | None, *, alone: bool) -> bool:
    """Wait for the lock of what ``opened`` opened; False: there is none to be had."""
    if descriptor is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True
