"""Tells damage of the content, which may be passed over, from what the system says, which may not.

With too few open files, too little memory or a disk that fails, images would be missing that are there a minute later.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ganzoo.data.allocation import DoesNotFit
from ganzoo.errors import GanzooError, UsageError, message

OF_CONTENT = (None, errno.EINVAL)
"""What damaged content makes of an ``errno``: decoders set none, and a place before a file's begin is invalid."""

HINTS = {
    errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
    errno.ENFILE: "close other programs: the machine has no more open files to give",
    errno.EACCES: "change its permissions, or move it elsewhere",
    errno.EPERM: "change its permissions, or move it elsewhere",
    errno.ENOENT: "leave the images where they are while they are read",
}


class NotRead(GanzooError):  # noqa: N818 - it says what is wrong, not that it is an error
    """What is there could not be read now."""


def damage(name: str, error: Exception) -> str:
    """What is wrong with the content of ``name``, in one line.

    Args:
        error: what was raised when it was read.

    Raises:
        NotRead, DoesNotFit: nothing is, as far as one can tell: the error speaks of the system.
        ImportError, GanzooError: or of what is installed.
    """
    words = " ".join(message(error).split())
    if isinstance(error, DoesNotFit):
        raise DoesNotFit(f"{name}: {words}", hint=error.hint) from error
    if isinstance(error, MemoryError) or words.startswith("out of memory"):  # the latter is Pillow's
        hint = "free some memory, or raise its limit; fewer cores (taskset) take less at once"
        raise NotRead(f"{name}: too little memory to read it", hint=hint) from error
    if isinstance(error, OSError) and error.errno not in OF_CONTENT:
        hint = HINTS.get(error.errno or 0, "mend what the system complains of, then read the images again")
        raise NotRead(f"{name}: cannot be read: {error.strerror or words}", hint=hint) from error
    if isinstance(error, ImportError) or (isinstance(error, GanzooError) and not isinstance(error, UsageError)):
        raise error
    return (error.strerror if isinstance(error, OSError) else None) or words or type(error).__name__


@contextmanager
def naming(source: str) -> Iterator[None]:
    """Put the name of a data set before what the system says of it, or of one of its images."""
    try:
        yield
    except (NotRead, DoesNotFit) as error:
        raise type(error)(f"{source}: {error}", hint=error.hint) from error
