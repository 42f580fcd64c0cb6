"""An index of plugins that can be installed: one JSON object, in a file or at an address; docs/plugins.md has its form.

No address is built in. Nothing that the index says is run, imported or installed: it is text to look at.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzoo.errors import GanzooError, IntegrityError, NotFoundError, UsageError, page
from ganzoo.files import Unreadable, parse_object
from ganzoo.version import __version__

VARIABLE = "GANZOO_PLUGIN_INDEX"
"""The environment variable that says where the index is: a file, or an http or https address."""

FORMAT = 1

MOST_BYTES = 4 << 20
"""Most bytes of an index: some ten thousand plugins."""

PATIENCE_SECONDS = 10.0
"""How long a server may take to answer, and then to send all of it."""

BLOCK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A plugin of the index.

    Args:
        name: the plugin's name.
        distribution: what ``ganzoo install`` takes.
        version: its newest version.
        summary: one line.
        provides: ``kind name`` of each spec.
        url: where to read on; may be empty.
    """

    name: str
    distribution: str
    version: str
    summary: str
    provides: tuple[str, ...]
    url: str = ""

    def speaks_of(self, word: str) -> bool:
        """Whether ``word`` stands in any of its fields; capitals do not count."""
        fields = (self.name, self.distribution, self.summary, *self.provides)
        return any(word.lower() in field.lower() for field in fields)


def search(word: str, environ: Mapping[str, str] = os.environ) -> list[Entry]:
    """The entries that speak of ``word``, in the index's order.

    Raises:
        UsageError: no index is configured.
        NotFoundError: there is no such file.
        GanzooError: it cannot be read, or the server does not send it.
        IntegrityError: it is too large, or not of the form of an index.
    """
    place = environ.get(VARIABLE, "")
    if not place:
        raise UsageError(
            f"no index of plugins is configured: {VARIABLE} is not set",
            hint=f"{VARIABLE}=FILE or {VARIABLE}=https://… before the command; {page('plugins.md')} says what it holds",
        )
    return [entry for entry in parse(_read(place), place) if entry.speaks_of(word)]


def parse(data: bytes, place: str) -> list[Entry]:
    """The entries of an index.

    Args:
        place: where it came from, for messages.

    Raises:
        IntegrityError: it is no index, or an entry has another form.
    """
    hint = f"{page('plugins.md')} says what an index holds"
    try:
        found = parse_object(data, MOST_BYTES)
        if found.get("format") != FORMAT:
            raise IntegrityError(
                f"{place} is an index of format {found.get('format')!r}; this ganzoo reads format {FORMAT}",
                hint="pip install --upgrade ganzoo" if isinstance(found.get("format"), int) else hint,
            )
        return [_entry(each) for each in found["plugins"]]
    except (Unreadable, KeyError, TypeError, ValueError) as error:
        what = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise IntegrityError(f"{place} is no index of plugins: {what}", hint=hint) from error


def _entry(given: Any) -> Entry:
    if not isinstance(given, Mapping):
        raise TypeError(f"an entry is a {type(given).__name__}, not an object")
    texts = {key: given[key] for key in ("name", "distribution", "version", "summary")} | {"url": given.get("url", "")}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise TypeError(f"{key!r} of an entry is no text")
    provides = given["provides"]
    if not isinstance(provides, list) or not all(isinstance(each, Mapping) for each in provides):
        raise TypeError("'provides' of an entry is no list of objects")
    return Entry(**texts, provides=tuple(f"{each['kind']} {each['name']}" for each in provides))


def _read(place: str) -> bytes:
    if place.startswith(("http://", "https://")):
        return _download(place)
    try:
        with Path(place.removeprefix("file://")).expanduser().open("rb") as file:
            return _bounded(file.read(MOST_BYTES + 1), place)
    except (FileNotFoundError, IsADirectoryError, RuntimeError) as error:  # RuntimeError: nobody has that name
        raise NotFoundError(f"{VARIABLE}: {place}: no such file", hint="give a file, or an address") from error
    except OSError as error:
        raise GanzooError(f"{VARIABLE}: {place} cannot be read: {error.strerror}") from error


def _download(place: str) -> bytes:
    """What the address holds; neither its size nor the time that it takes is without a bound."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request

    from ganzoo.files import web_opener

    deadline, data = time.monotonic() + PATIENCE_SECONDS, bytearray()
    try:
        request = Request(place, headers={"User-Agent": f"ganzoo/{__version__}"})  # noqa: S310 - http and https alone
        with web_opener().open(request, timeout=PATIENCE_SECONDS) as response:
            while len(data) <= MOST_BYTES and (block := response.read1(BLOCK)):
                data += block
                if time.monotonic() > deadline:
                    raise TimeoutError(f"it sends no whole index within {PATIENCE_SECONDS:g} seconds")
    except HTTPError as error:
        error.close()
        raise GanzooError(f"{place}: HTTP {error.code}", hint=f"is {VARIABLE} the right address?") from error
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise GanzooError(f"{place} cannot be read: {reason}", hint=f"is {VARIABLE} the right address?") from error
    return _bounded(bytes(data), place)


def _bounded(data: bytes, place: str) -> bytes:
    if len(data) > MOST_BYTES:
        raise IntegrityError(f"{place} has more than {MOST_BYTES:,} bytes", hint="an index of plugins is smaller")
    return data
