"""The small records that a registry stores as canonical JSON, and the values that it returns."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from ganzoo_registry.errors import Corrupt, RegistryError

Record = TypeVar("Record", "BlobInfo", "Pointer", "Move")

FORMAT = 1
"""Version of the format of manifests, and of the layout of the tree."""


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
        number: the version that was registered or removed, or that the alias was moved to.
        alias: the alias that was moved.
        previous: the version that the alias stood on before; None at its first move.
        by: the local user; None for a registration (a version does not say who made it).
    """

    when: str
    event: Literal["registered", "removed", "aliased"]
    number: int
    alias: str | None = None
    previous: int | None = None
    by: str | None = None

    @property
    def what(self) -> str:
        """The event in words: ``registered 3``, ``removed 3``, ``champion: 2 -> 3``."""
        if self.event == "aliased":
            return f"{self.alias}: {self.previous or 'none'} -> {self.number}"
        return f"{self.event} {self.number}"


@dataclass(frozen=True)
class Pointer:
    """The record ``versions/<N>``; with ``removed`` and ``by`` it is a tombstone."""

    manifest: str
    created: str
    removed: str | None = None
    by: str | None = None


@dataclass(frozen=True)
class Move:
    """The record ``aliases/<alias>/<seq>``: the alias stands on ``version`` until the next move."""

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
        """Read what ``encode`` wrote.

        Raises:
            RegistryError: it has a newer format.
            Corrupt: it is no manifest.
        """
        try:
            fields = json.loads(data)
            if fields["format"] > FORMAT:
                raise RegistryError(f"{owner} was registered by a newer ganzoo", hint="pip install --upgrade ganzoo")
            kinds = {kind: BlobInfo(**entry) for kind, entry in fields["kinds"].items()}
            return cls(kinds, fields["lineage"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Corrupt(
                f"{owner} points to something else than a manifest",
                hint="restore its record under versions/ from a copy of the registry",
            ) from error


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no spaces, UTF-8.

    Raises:
        RegistryError: ``value`` is not JSON (NaN and infinity are not).
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except (TypeError, ValueError) as error:
        raise RegistryError(f"this cannot be stored as JSON: {error}") from error


def encode(record: Pointer | Move | BlobInfo) -> bytes:
    """A record's canonical JSON, without the fields that are None."""
    return canonical({key: value for key, value in asdict(record).items() if value is not None})


def decode(kind: type[Record], data: bytes, where: str) -> Record:
    """The record that ``encode`` wrote.

    Raises:
        Corrupt: ``data`` is anything else; the message names ``where``.
    """
    try:
        record = kind(**json.loads(data))
        if not all(isinstance(getattr(record, field.name), field.type) for field in fields(record)):  # type: ignore[arg-type]  # never a string here
            raise TypeError("a field has the wrong type")
    except (TypeError, ValueError) as error:
        raise Corrupt(f"the record {where} is damaged", hint=f"restore {where} from a copy of the registry") from error
    return record


def now() -> str:
    """The time now, as text of a fixed width, so that the order of texts is the order of times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def user() -> str:
    """The user that this process runs as; ``unknown`` if the system does not say."""
    import getpass  # only moves and removals need it

    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return "unknown"
