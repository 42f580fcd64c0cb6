"""Reads JSON that may come from anywhere: whatever is wrong with it is one exception. And writes it, in one spelling.

``json.loads`` alone raises four kinds of errors for damaged text, takes lone surrogates, which can never be written
again, and has no bound on size.
"""

import json
from collections.abc import Mapping
from typing import Any

from ganzoo_registry.errors import RegistryError

LARGEST = 64 << 20
"""Most bytes of one document; a lineage, a card or a list of labels has some kB."""

_NO_JSON = "this cannot be stored as JSON"
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Unreadable(ValueError):  # noqa: N818 - it says what is wrong, not that it is an error
    """Bytes that are not the document that they should be; its message is one line."""


def parse_json(data: bytes | str, largest: int = LARGEST) -> Any:
    """The value that JSON text in UTF-8 stands for; a byte order mark is passed over.

    Args:
        largest: most bytes (of ``str``, characters) that are taken.

    Raises:
        Unreadable: it is larger, nested deeper than Python can go, no UTF-8, not JSON, or holds a lone surrogate.
    """
    text = decode_text(data, largest)
    try:
        value = json.loads(text)
        if "\\ud" in text or "\\uD" in text:  # the escapes of surrogates, of which a whole pair is right
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise Unreadable("it holds half a character (a lone surrogate)") from None
    except ValueError as error:  # JSONDecodeError; and an integer of too many digits
        raise Unreadable(str(error).partition("\n")[0]) from None
    return value


def parse_object(data: bytes | str, largest: int = LARGEST) -> dict[str, Any]:
    """The same, of a JSON object.

    Raises:
        Unreadable: as above, or it is no object.
    """
    value = parse_json(data, largest)
    if not isinstance(value, dict):
        raise Unreadable("it is not a JSON object")
    return value


def decode_text(data: bytes | str, largest: int = LARGEST) -> str:
    """Text in UTF-8, without a byte order mark.

    Raises:
        Unreadable: it is larger, or no UTF-8.
    """
    if len(data) > largest:
        raise Unreadable(f"it is larger than {largest:,} bytes")
    try:
        return (data if isinstance(data, bytes) else data.encode()).decode("utf-8-sig")
    except UnicodeEncodeError:
        raise Unreadable("it holds half a character (a lone surrogate)") from None
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8: byte {error.start} cannot be read") from None


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no spaces, UTF-8.

    Raises:
        RegistryError: ``value`` is not JSON (NaN, infinity and halves of characters are not), or is nested too deeply.
    """
    try:
        return _ENCODER.encode(value).encode()
    except RecursionError:
        raise RegistryError(f"{_NO_JSON}: it is nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise RegistryError(f"{_NO_JSON}: {error}") from error


def lineage_text(lineage: Mapping[str, Any]) -> bytes:
    """A lineage's canonical JSON, which is known to be readable again.

    Raises:
        RegistryError: it is no JSON; the message names the first value that is not.
    """
    try:
        data = canonical(dict(lineage))
        parse_object(data)
    except Unreadable as error:
        raise RegistryError(f"{_NO_JSON}: {error}") from error
    except RegistryError as error:
        raise RegistryError(_culprit(dict(lineage)) or str(error)) from error
    return data


def _culprit(value: Any) -> str:
    """Which value inside ``value`` is no JSON, in words; empty if that is not one float or text."""
    path: list[str] = []
    while not isinstance(value, float | str):
        children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        key, value = next(((key, child) for key, child in children if not _is_json(child)), ("", None))
        if value is None or len(path) > 20:
            return ""
        path.append(str(key))
    return f"{_NO_JSON}: {'.'.join(path)} is {value!r:.80}"


def _is_json(value: Any) -> bool:
    try:
        canonical(value)
    except RegistryError:
        return False
    return True
