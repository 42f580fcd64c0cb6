"""What has a name in a directory, where a link may lead nowhere and the system may refuse to look.

What cannot be looked at is never taken for absent: it may be a record of what a version holds.
"""

import errno
import os
import stat
from collections.abc import Callable

_NOTHING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What the system says of a name that nothing has, and of a link that leads nowhere or to itself."""


def size(path: str | os.PathLike[str]) -> int | None:
    """A file's size in bytes; None if there is no file of this name."""
    try:
        status = os.stat(path)
    except OSError as error:
        if error.errno in _NOTHING:
            return None
        raise
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def leads_nowhere(path: str | os.PathLike[str]) -> bool:
    """Whether this is a link behind which there is nothing."""
    return os.path.islink(path) and not os.path.exists(path)


def seems(is_kind: Callable[[], bool], path: str | os.PathLike[str]) -> bool:
    """Whether what is at ``path`` is of a kind, or may have been: a link that leads nowhere, what cannot be looked at.

    To read it is to learn which.

    Args:
        is_kind: looks whether it is, and may raise OSError.
    """
    try:
        return is_kind() or leads_nowhere(path)
    except OSError:
        return True
