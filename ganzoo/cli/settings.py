"""What ``--config FILE`` and ``--set KEY=VALUE`` say, as settings."""

from pathlib import Path
from typing import Any, get_type_hints

from ganzoo.config import RunConfig, Settings, merge
from ganzoo.errors import NotFoundError, UsageError
from ganzoo.files import Unreadable, parse_toml


def read_file(path: Path) -> Settings:
    """Read a TOML file.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it is not TOML.
    """
    try:
        return parse_toml(path.read_bytes())
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFoundError(f"--config {path}: no such file", hint="check the path") from error
    except (Unreadable, OSError) as error:
        raise UsageError(f"--config {path}: {error}", hint="it should be TOML: key = value") from error


def parse_settings(pairs: list[str]) -> Settings:
    """``["batch=32", "options.width=64"]`` -> nested tables. A value is TOML where it can be, else a string.

    A key that takes text, such as ``name``, takes what was typed, also where it looks like a number.

    Raises:
        UsageError: a pair is not of the form KEY=VALUE.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not all(key.split(".")):
            raise UsageError(f"--set {pair}: not of the form KEY=VALUE", hint="for example: --set batch=32")
        settings = merge(settings, nested(key, _value(value, text=key in _texts())))
    return settings


def nested(key: str, value: Any) -> Settings:
    """``("a.b", 1)`` -> ``{"a": {"b": 1}}``."""
    for part in reversed(key.split(".")):
        value = {part: value}
    settings: Settings = value
    return settings


def _texts() -> set[str]:
    return {key for key, kind in get_type_hints(RunConfig).items() if isinstance(kind, type) and issubclass(kind, str)}


def _value(typed: str, *, text: bool) -> Any:
    try:
        parsed = parse_toml(f"value = {typed}")
    except Unreadable:
        return typed
    if len(parsed) > 1:  # what was typed has several lines, which may hold other keys
        return typed
    value = parsed["value"]
    return typed if text and not isinstance(value, str | list | dict) else value
