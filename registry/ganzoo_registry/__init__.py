"""A registry of model versions on the plain file system: content-addressed, without a database.

It depends on the standard library alone and knows nothing of what it stores.
"""

from ganzoo_registry.errors import Conflict, Corrupt, InvalidName, Newer, NotFound, NotWritable, RegistryError
from ganzoo_registry.records import BlobInfo, LogEntry, Version
from ganzoo_registry.refs import Reference
from ganzoo_registry.store import Registry

__all__ = [
    "BlobInfo",
    "Conflict",
    "Corrupt",
    "InvalidName",
    "LogEntry",
    "Newer",
    "NotFound",
    "NotWritable",
    "Reference",
    "Registry",
    "RegistryError",
    "Version",
]
