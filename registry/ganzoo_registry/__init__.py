"""A registry of model versions on the plain file system: content-addressed, without a database.

It depends on the standard library alone and knows nothing of what it stores. Each name is imported when it is first
used, because ganzoo has the base of its errors from here, also where nothing is registered.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganzoo_registry.errors import (
        Conflict as Conflict,
        Corrupt as Corrupt,
        InvalidName as InvalidName,
        Newer as Newer,
        NotFound as NotFound,
        NotWritable as NotWritable,
        RegistryError as RegistryError,
    )
    from ganzoo_registry.records import BlobInfo as BlobInfo, LogEntry as LogEntry, Version as Version
    from ganzoo_registry.refs import Reference as Reference
    from ganzoo_registry.store import Registry as Registry

_HOME = {
    "ganzoo_registry.errors": "Conflict Corrupt InvalidName Newer NotFound NotWritable RegistryError",
    "ganzoo_registry.records": "BlobInfo LogEntry Version",
    "ganzoo_registry.refs": "Reference",
    "ganzoo_registry.store": "Registry",
}
"""Module -> the names that are public here."""

__all__ = [name for names in _HOME.values() for name in names.split()]


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names.split():
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'ganzoo_registry' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
