"""Text files of a run that carry the digest of their content: a changed one is not taken for what was written.

A file of an older ganzoo has no digest, and is read as it is.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from ganzoo.files import Unreadable, parse_object, parse_toml

_LINE = re.compile(rb"# ([0-9a-f]{64}): [^\n]*\n")
_NOTE = "the SHA-256 of what follows; to change a setting: ganzoo train --resume RUN --set KEY=VALUE"


def sealed_toml(text: str) -> bytes:
    """TOML with its digest in a comment before it."""
    return f"# {_sha256(text.encode())}: {_NOTE}\n".encode() + text.encode()


def unseal_toml(data: bytes) -> dict[str, Any]:
    """The table that ``sealed_toml`` was given.

    Raises:
        Unreadable: it is not TOML, or not what was written.
    """
    if found := _LINE.match(data):
        _compare(found[1].decode(), data[found.end() :])
    return parse_toml(data)


def sealed_json(value: Mapping[str, Any]) -> bytes:
    """A JSON object with its digest as ``sha256``."""
    return _spelt({**value, "sha256": _sha256(_spelt(value))})


def unseal_json(data: bytes) -> dict[str, Any]:
    """The object that ``sealed_json`` was given.

    Raises:
        Unreadable: it is not a JSON object, or not what was written.
    """
    value = parse_object(data)
    if (digest := value.pop("sha256", None)) is not None:
        _compare(digest, _spelt(value))
    return value


def _spelt(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _compare(digest: object, data: bytes) -> None:
    if digest != _sha256(data):
        raise Unreadable("it is not what was written, by its digest")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
