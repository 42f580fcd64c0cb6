"""Tells damage of the content, which may be passed over, from what the system says, which may not.

With too few open files, too little memory or a disk that fails, images would be missing that are there a minute later.
"""

import errno

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


def damage(name: str, error: Exception) -> str:
    """What is wrong with the content of ``name``, in one line.

    Args:
        error: what was raised when it was read.

    Raises:
        GanzooError: nothing is, as far as one can tell: the error speaks of the system, or of what is installed.
    """
    words = " ".join(message(error).split())
    if isinstance(error, DoesNotFit):
        raise DoesNotFit(f"{name}: {words}", hint=error.hint) from error
    if isinstance(error, MemoryError) or words.startswith("out of memory"):  # the latter is Pillow's
        hint = "free some memory, or raise its limit; fewer cores (taskset) take less at once"
        raise GanzooError(f"{name}: too little memory to read it", hint=hint) from error
    if isinstance(error, OSError) and error.errno not in OF_CONTENT:
        hint = HINTS.get(error.errno or 0, "mend what the system complains of, then read the images again")
        raise GanzooError(f"{name}: cannot be read: {error.strerror or words}", hint=hint) from error
    if isinstance(error, ImportError) or (isinstance(error, GanzooError) and not isinstance(error, UsageError)):
        raise error
    return (error.strerror if isinstance(error, OSError) else None) or words or type(error).__name__
