"""The small records that a registry stores as canonical JSON, and the values that it returns.

A record carries the SHA-256 of its own other fields, so that damage is told from content. Those of earlier versions
do not, and are read, too.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from ganzoo_registry.documents import canonical, parse_object
from ganzoo_registry.errors import Corrupt, Newer, RegistryError
from ganzoo_registry.refs import DIGEST, LAST_NUMBER

Record = TypeVar("Record", "BlobInfo", "Pointer", "Move")

FORMAT = 1
"""Version of the format of manifests, and of the layout of the tree."""

SEAL = "sha256"
"""The field of a record with the digest of its others."""

LARGEST = 1 << 16
"""Most bytes of a record; one has some hundred."""


@dataclass(frozen=True)
class Version:
    """One version of a model.

    Args:
        name: the model's name.
        number: 1, 2, 3 ... within the model; never used twice.
        digest: ``sha256:<hex>`` of its manifest, which names all of its content.
        created: when it was registered: ISO 8601, UTC, microseconds.
    """

    name: str
    number: int
    digest: str
    created: str

    def __str__(self) -> str:
        """The reference to the version, ``name:number``."""
        return f"{self.name}:{self.number}"

    def __repr__(self) -> str:
        return f"<Version {self}, {self.digest[:19]}, {self.created}>"


@dataclass(frozen=True)
class BlobInfo:
    """Digest of some content, ``sha256:<hex>``, and its size in bytes."""

    digest: str
    size: int


@dataclass(frozen=True)
class LogEntry:
    """Something that happened to a model.

    Args:
        when: ISO 8601, UTC, microseconds.
        event: what happened.
        number: the version that was registered or removed, or that the alias was moved to; 0: it was taken away.
        alias: the alias that was moved.
        previous: the version that the alias stood on before; None at its first move, and where ``gap``.
        by: the local user; None for a registration (a version does not say who made it).
        gap: the record of the move before this one is damaged or lost.
    """

    when: str
    event: Literal["registered", "removed", "aliased"]
    number: int
    alias: str | None = None
    previous: int | None = None
    by: str | None = None
    gap: bool = False

    @property
    def what(self) -> str:
        """The event in words: ``registered 3``, ``removed 3``, ``champion: 2 -> 3``."""
        if self.event == "aliased":
            return f"{self.alias}: {'?' if self.gap else self.previous or 'none'} -> {self.number or 'none'}"
        return f"{self.event} {self.number}"


@dataclass(frozen=True)
class Pointer:
    """The record ``versions/<N>``; with ``removed`` and ``by`` it is a tombstone.

    ``manifest`` and ``created`` are empty in the tombstone of a version whose record was damaged or missing. It stands
    for all numbers from ``since`` on, if that is set: their records were missing, too.
    """

    manifest: str = ""
    created: str = ""
    removed: str = ""
    by: str = ""
    since: int | None = None


@dataclass(frozen=True)
class Move:
    """The record ``aliases/<alias>/<seq>``: the alias stands on ``version``, 0 for none, until the next move."""

    version: int
    at: str
    by: str


@dataclass(frozen=True)
class Manifest:
    """The blob that a version points to: kind -> content, and the lineage's digest."""

    kinds: Mapping[str, BlobInfo]
    lineage: str

    def encode(self) -> bytes:
        """The manifest as canonical JSON."""
        return canonical({"format": FORMAT, **asdict(self)})

    @classmethod
    def decode(cls, data: bytes, owner: str) -> "Manifest":
        """Read what ``encode`` wrote, from bytes whose digest is right.

        Raises:
            Newer: it has a newer format.
            Corrupt: it is no manifest.
        """
        try:
            values = parse_object(data)
            form = values.pop("format")
            if type(form) is not int or form < 1:
                raise TypeError("no format of a manifest")
            known = _names(BlobInfo)
            if (
                form > FORMAT
                or values.keys() - _names(cls)
                or any(entry.keys() - known for entry in values["kinds"].values())
            ):
                raise Newer(f"{owner} was registered by a newer ganzoo")
            kinds = {kind: _made(BlobInfo, entry) for kind, entry in values["kinds"].items()}
            if not _VALID["digest"](values["lineage"]):
                raise ValueError("no digest of a lineage")
            return cls(kinds, values["lineage"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Corrupt(
                f"{owner} points to something else than a manifest",
                hint="restore its record under versions/ from a copy of the registry",
            ) from error


def encode(record: Pointer | Move | BlobInfo) -> bytes:
    """A record's canonical JSON with its seal, without the fields that are empty."""
    values = {key: value for key, value in asdict(record).items() if value not in ("", None)}
    return canonical({**values, SEAL: _seal(values)})


def decode(kind: type[Record], data: bytes, place: Callable[[], tuple[str, str]]) -> Record:
    """The record that ``encode`` wrote.

    Args:
        place: asked for errors: where the record is in the registry, and what mends it if no copy of that is at hand.

    Raises:
        Newer: it is whole, and has fields that are unknown here.
        Corrupt: it is anything else.
    """
    values: dict[str, Any] = {}
    whole = False
    try:
        values = parse_object(data, LARGEST)
        seal = values.pop(SEAL, None)
        whole = seal == _seal(values)
        if seal is not None and not whole:
            raise ValueError("its bytes changed")
        return _made(kind, values)
    except (TypeError, ValueError) as error:
        where, cure = place()
        hint = f"restore {where} from a copy of the registry, or {cure}"
        unknown = sorted(values.keys() - _names(kind))
        if unknown and whole:
            raise Newer(f"the record {where} was written by a newer ganzoo") from error
        if unknown:
            raise Corrupt(
                f"the record {where} has an unknown field, {unknown[0]!r}: a newer ganzoo wrote it, or it was changed",
                hint=f"pip install --upgrade ganzoo, or {hint}",
            ) from error
        raise Corrupt(f"the record {where} is damaged", hint=hint) from error


def _names(kind: type[Record | Manifest]) -> set[str]:
    """The fields that a record has, as far as is known here."""
    return {field.name for field in fields(kind)}


def _made(kind: type[Record], values: Mapping[str, Any]) -> Record:
    """The record with these values, each of which has been checked."""
    record = kind(**values)
    for name, value in values.items():
        if not _VALID[name](value):
            raise ValueError(f"{name} cannot be {value!r}")
    if isinstance(record, Pointer) and not (record.removed or (record.manifest and record.created)):
        raise ValueError("neither a version nor a tombstone")
    return record


def _seal(values: Mapping[str, Any]) -> str:
    try:
        return hashlib.sha256(canonical(values)).hexdigest()
    except RegistryError as error:  # NaN, which the parser takes
        raise ValueError(str(error)) from error


_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


def _like(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and bool(pattern.fullmatch(value))


def _within(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most  # True is an int, too


_VALID: dict[str, Callable[[Any], bool]] = {
    "digest": _like(DIGEST),
    "size": _within(0, 1 << 63),
    "manifest": _like(DIGEST),
    "created": _like(_TIME),
    "removed": _like(_TIME),
    "at": _like(_TIME),
    "by": lambda value: isinstance(value, str),
    "since": _within(1, LAST_NUMBER),
    "version": _within(0, LAST_NUMBER),
}
"""What each field of a record may be."""


def now() -> str:
    """The time now, as text of a fixed width, so that the order of texts is the order of times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def user() -> str:
    """The user that this process runs as; ``unknown`` if the system does not say."""
    import getpass  # only moves and removals need it

    try:
        name = getpass.getuser() or "unknown"
    except (ImportError, KeyError, OSError):
        name = "unknown"
    return name.encode("utf-8", "replace").decode()
