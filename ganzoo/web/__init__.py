"""The page for people, as files: a server gives them out, and ``ganzoo export --web`` writes them to a folder.

It is one page over two backends. ``page.js`` has its images of ``backend.js``, which is ``over_http.js`` on a server,
and ``in_browser.js`` in a folder without one.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from ganzoo.runtime.card import GeneratorCard

Backend = Literal["over_http", "in_browser"]

_PARTS: Mapping[Backend, tuple[str, ...]] = {
    "over_http": ("commands.js",),
    "in_browser": ("commands.js", "generator.js", "latents.js", "worker.js"),
}
"""Backend -> the scripts that it needs."""


def files(backend: Backend) -> dict[str, bytes]:
    """The page's files: path from where the page is -> content; the page itself is ``index.html``."""
    names = {"style.css": "style.css", "page.js": "page.js", "backend.js": f"{backend}.js"}
    names |= {part: part for part in _PARTS[backend]}
    return {"index.html": _read("index.html")} | {f"page/{name}": _read(source) for name, source in names.items()}


def facts(name: str, card: GeneratorCard) -> dict[str, Any]:
    """What the page, and any other client, must know of a generator.

    Args:
        name: what it is called here.
    """
    return {
        "name": name,
        "version": card.version,
        "reference": f"{card.name}:{card.version}" if card.version else None,  # what `ganzoo sample` takes
        "digest": card.digest,
        "int8": card.int8,
        "latent_dim": card.latent_dim,
        "shape": [card.channels, card.height, card.width],
        "class_names": list(card.class_names),
        "controls": {name: asdict(control) for name, control in card.controls.items()},
    }


def _read(name: str) -> bytes:
    return (Path(__file__).parent / name).read_bytes()
