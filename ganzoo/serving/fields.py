"""Objects of JSON whose fields are checked, and named in messages, as they are read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ganzoo.errors import UsageError
from ganzoo.serving.bodies import MalformedError

T = TypeVar("T")

_KINDS = {str: "a string", int: "a whole number", bool: "true or false", list: "a list", dict: "an object"}


@dataclass(frozen=True)
class Fields:
    """An object.

    Args:
        values: its fields.
        where: its path in the body; empty: it is the whole.
    """

    values: Mapping[str, Any]
    where: str = ""

    @classmethod
    def parse(cls, text: bytes) -> "Fields":
        """Read a body.

        Raises:
            MalformedError: it is no JSON.
            UsageError: it is no object.
        """
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise MalformedError(f"the body is no JSON: {error}", hint="send Content-Type: application/json") from None
        return cls._of(found, "")

    @classmethod
    def _of(cls, value: object, where: str) -> "Fields":
        if not isinstance(value, dict):
            raise UsageError(f"{where or 'the body'} must be an object", hint='for example {"inputs": [...]}')
        return cls(value, where)

    def path(self, key: str) -> str:
        """Where a field stands."""
        return f"{self.where}.{key}" if self.where else key

    def get(self, key: str, kind: type[T], default: T | None = None) -> T:
        """A field.

        Args:
            kind: its type; ``bool`` is no ``int``.
            default: where it is absent; None: it must be there.

        Raises:
            UsageError: it is absent, or of another type.
        """
        value = self.values.get(key, default)
        if value is None and key not in self.values:
            raise UsageError(f"{self.path(key)} is missing")
        if type(value) is not kind:
            raise UsageError(f"{self.path(key)} must be {_KINDS[kind]}, not {value!r:.60}")
        return value

    def inner(self, key: str) -> "Fields":
        """A field that is an object; where it is absent, one without fields."""
        return Fields(self.get(key, dict, {}), self.path(key))

    def each(self, key: str, default: list[Any] | None = None) -> list["Fields"]:
        """A field that is a list of objects."""
        listed = self.get(key, list, default)
        return [self._of(value, f"{self.path(key)}[{index}]") for index, value in enumerate(listed)]
