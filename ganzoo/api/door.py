"""The door of the calls: what may be given as text and as a reference, and what must be installed."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ganzoo.errors import UsageError, missing_package
from ganzoo.runtime.file import as_text
from ganzoo_registry import Version

Reference = str | os.PathLike[str] | Version
"""What names a version, a file or a run: text, the path of a file or of a run, or a version itself."""


def as_reference(given: object) -> str:
    """A reference as text.

    Raises:
        UsageError: it is none; see ``Reference``.
    """
    return as_text(str(given) if isinstance(given, Version) else given)


def as_references(given: object) -> list[str]:
    """One reference, or each of several, as text.

    Raises:
        UsageError: one of them is none.
    """
    several = isinstance(given, Iterable) and not isinstance(given, str | os.PathLike)
    return list(map(as_reference, given if several else [given]))  # type: ignore[call-overload]


def check_text(given: object, what: str) -> None:
    """Refuse what is not text.

    Raises:
        UsageError: names it as ``what``.
    """
    if not isinstance(given, str):
        raise UsageError(f"{what}: {given!r} is not text", hint="give a name as text")


@contextmanager
def needing_torch() -> Iterator[None]:
    """Around what needs PyTorch, and with it all of ganzoo's dependencies: those that are not installed are named.

    Raises:
        MissingPackageError: some are not.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if missing := missing_package(error, but=()):
            raise missing from error
        raise
