"""What ``--config FILE`` and ``--set KEY=VALUE`` say, as settings."""

import tomllib
from pathlib import Path
from typing import Any

from ganzoo.config import Settings, merge
from ganzoo.errors import NotFoundError, UsageError


def read_file(path: Path) -> Settings:
    """Read a TOML file.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFoundError(f"--config {path}: no such file", hint="check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"--config {path}: {error}", hint="it should be TOML: key = value") from error


def parse_settings(pairs: list[str]) -> Settings:
    """``["batch=32", "options.width=64"]`` -> nested tables. A value is TOML where it can be, else a string.

    Raises:
        UsageError: a pair is not of the form KEY=VALUE.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not all(key.split(".")):
            raise UsageError(f"--set {pair}: not of the form KEY=VALUE", hint="for example: --set batch=32")
        settings = merge(settings, nested(key, _value(value)))
    return settings


def nested(key: str, value: Any) -> Settings:
    """``("a.b", 1)`` -> ``{"a": {"b": 1}}``."""
    for part in reversed(key.split(".")):
        value = {part: value}
    settings: Settings = value
    return settings


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if len(parsed) == 1 else text  # a text of several lines may hold other keys
