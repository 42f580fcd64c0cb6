"""The query of a sample request: ``?n=16&seed=7&label=cat&format=png``, and controls: ``&truncation=0.7``."""

import functools
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from ganzoo.errors import UsageError, did_you_mean
from ganzoo.images import encode_npy, encode_png, grid
from ganzoo.latents import MAX_SEED
from ganzoo.runtime.controls import control_values
from ganzoo.runtime.generator import ImageGenerator, random_seed
from ganzoo.runtime.providers import identity
from ganzoo.version import __version__

MAX_IMAGES = 256
"""Most images that one request may ask for."""

DEFAULT_IMAGES = 16
PARAMETERS = ("n", "seed", "label", "format")
MEDIA_TYPES = {"png": "image/png", "npy": "application/octet-stream"}

Format = Literal["png", "npy"]

_ASKED = re.compile(rb"[?&]n=([0-9]{1,4})(?:&|$)")


def images_asked(url: bytes) -> int:
    """How many images a URL asks for, as far as can be seen without a route; 0: it is none of a sample."""
    path, _, query = url.partition(b"?")
    if not path.endswith(b"/sample"):
        return 0
    found = _ASKED.search(b"?" + query)
    return min(int(found[1]), MAX_IMAGES) if found else DEFAULT_IMAGES


@dataclass(frozen=True, kw_only=True)
class SampleQuery:
    """A checked request.

    Args:
        n: 1 to ``MAX_IMAGES``.
        seed: 0 to 2^64 - 1.
        repeatable: the client gave the seed, so it can ask for the same images again.
        label: the class's name; None: drawn from the seed, or there are no classes.
        format: ``png``: one grid; ``npy``: uint8 [n, H, W, C].
        controls: the value of each of the generator's controls.
    """

    n: int
    seed: int
    repeatable: bool
    label: str | None
    format: Format
    controls: Mapping[str, float]

    @classmethod
    def parse(cls, items: Iterable[tuple[str, str]], generator: ImageGenerator) -> "SampleQuery":
        """Check the query's names and values.

        Raises:
            UsageError: a name is unknown or comes twice, or a value cannot be used.
        """
        given: dict[str, str] = {}
        controls = generator.card.controls
        known = (*PARAMETERS, *controls)
        for name, value in items:
            if name not in known:
                raise UsageError(f"there is no parameter {name!r}", hint=did_you_mean(name, known))
            if name in given:
                raise UsageError(f"the parameter {name!r} is given twice", hint="give it once")
            given[name] = value
        kind = given.get("format", "png")
        if kind not in MEDIA_TYPES:
            raise UsageError(f"there is no format {kind!r}", hint=did_you_mean(kind, MEDIA_TYPES))
        return cls(
            n=_whole("n", given["n"], 1, MAX_IMAGES) if "n" in given else DEFAULT_IMAGES,
            seed=_whole("seed", given["seed"], 0, MAX_SEED) if "seed" in given else random_seed(),
            repeatable="seed" in given,
            label=generator.card.class_names[generator.resolve_label(given["label"])] if "label" in given else None,
            format=cast(Format, kind),
            controls=control_values(
                {name: given[name] for name in controls if name in given}, controls, generator.card.name
            ),
        )

    def make(self, generator: ImageGenerator) -> bytes:
        """Sample and encode: the slow part, for a worker thread."""
        images, _ = generator.pixels(self.n, self.seed, self.label, controls=self.controls)
        return encode_png(grid(images)) if self.format == "png" else encode_npy(images)

    def etag(self, generator: ImageGenerator) -> str | None:
        """A strong validator, made from all that decides the bytes; None if the same bytes are not certain."""
        if not self.repeatable or generator.device != "cpu":
            return None
        parts = [_software(), generator.sha256, self.n, self.seed, self.label, self.format, dict(self.controls)]
        return f'"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}"'


@functools.cache
def _software() -> str:
    return f"ganzoo {__version__}, zlib {zlib.ZLIB_RUNTIME_VERSION}, {identity()}"


def _whole(name: str, text: str, low: int, high: int) -> int:
    """Stricter than ``int``, which takes ``1_000`` and other scripts' digits, too."""
    number = int(text) if re.fullmatch(r"[0-9]{1,20}", text) else -1
    if not low <= number <= high:
        message = f"{name} must be a whole number from {low} to {high}, not {text!r}"
        raise UsageError(message, hint=f"for example ?{name}={low + 1}")
    return number
