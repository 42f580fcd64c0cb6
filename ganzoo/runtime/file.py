"""ONNX files on disk: which references mean one, and their bytes."""

import os
import stat
from pathlib import Path

from ganzoo.errors import IntegrityError, NotFoundError, UsageError

SUFFIX = ".onnx"

LARGEST = (1 << 31) - 1
"""Most bytes of an ONNX file with its weights inside: protobuf, of which it is made, has no larger messages."""

_HINT = "give the path of an exported file, or a registry name"


def as_text(reference: object) -> str:
    """A reference, or the path of a file, as text.

    Raises:
        UsageError: it is neither.
    """
    text = os.fspath(reference) if isinstance(reference, os.PathLike) else reference
    if not isinstance(text, str) or not text:
        raise UsageError(f"{reference!r} is neither a reference nor a path", hint="for example wgan-gp:3 or FILE.onnx")
    return text


def file_of(reference: str) -> Path | None:
    """The file that a reference means; None: it means a version of the registry.

    A file is what ends in ``.onnx``, and any existing path with a separator in it, which no name of a version has:
    ``ganzoo registry path NAME onnx`` prints such a path.
    """
    reference = os.path.expanduser(reference)
    named = reference.lower().endswith(SUFFIX)
    return Path(reference) if named or (os.sep in reference and os.path.lexists(reference)) else None


def read_file(path: Path, hint: str = _HINT) -> bytes:
    """The content of an ONNX file. Its kind and its size are looked at first.

    Args:
        hint: what to do if it cannot be read.

    Raises:
        NotFoundError: there is no such file, or it is a directory, a pipe or a device.
        IntegrityError: it is larger than ``LARGEST``.
    """
    try:
        # Not blocking: to open a pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:  # a null character
        raise NotFoundError(f"{path!s} is not the path of a file", hint=hint) from error
    except OSError as error:
        raise NotFoundError(f"{path}: {error.strerror}", hint=hint) from error
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode) and (held := sorted(path.glob(f"*{SUFFIX}"))):
            raise NotFoundError(f"{path} is a directory", hint=f"the file in it is {held[0]}")
        if not stat.S_ISREG(found.st_mode):
            raise NotFoundError(f"{path} is not a regular file", hint=hint)
        if found.st_size > LARGEST:
            size = f"{found.st_size / 1e9:.1f} GB"
            raise IntegrityError(f"{path} has {size}, and an ONNX file at most {LARGEST / 1e9:.1f} GB", hint=hint)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(LARGEST + 1)
    finally:
        os.close(descriptor)
