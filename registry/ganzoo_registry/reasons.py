"""Why the system refused a call, in words."""

import errno
import os
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)


def reason(error: OSError, place: Path) -> str:
    """Why a call was refused at ``place``."""
    match error.errno:
        case code if code in FULL:
            return "the disk is full"
        case errno.EROFS:
            return "the file system is read-only"
        case errno.EACCES | errno.EPERM:
            return f"permission denied: {place}"
        case errno.EXDEV:
            return f"{place} is not on the file system of its tmp/, to which no hard link leads"
        case errno.EISDIR:
            return f"{place} is a directory, not a file"
        case errno.ENOTDIR | errno.ENOENT | errno.ELOOP if not os.path.isdir(found := nearest(place)):
            return f"{found} is a " + ("file, not a directory" if os.path.exists(found) else "link that leads nowhere")
    return f"{error.strerror}: {place}"


def nearest(path: Path) -> Path:
    """``path``, or the closest of its parents that is there, if only as a link that leads nowhere."""
    return next(place for place in (path, *path.parents) if os.path.lexists(place))
