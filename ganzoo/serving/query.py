"""What a URL asks for: ``sample?n=16&seed=7&label=cat``, ``interpolate?seed=7&to=8``, or more, with controls."""

import functools
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganzoo.errors import UsageError, did_you_mean
from ganzoo.images import to_uint8
from ganzoo.latents import MAX_SEED, draw, slerp
from ganzoo.runtime.controls import control_values
from ganzoo.runtime.generator import ImageGenerator, random_seed
from ganzoo.runtime.providers import identity
from ganzoo.serving.formats import DEFAULT_FORMAT, FORMATS
from ganzoo.serving.jobs import Job, Rows
from ganzoo.version import __version__

MAX_IMAGES = 256
"""Most images that one request may ask for."""


@dataclass(frozen=True)
class Parameter:
    """A whole number of a query.

    Args:
        meaning: for people.
        low, high: the range.
        default: where it is not given; None: it must be.
    """

    meaning: str
    low: int
    high: int
    default: int | None = None


SEED = Parameter("image i depends on (seed, i) alone; by default a random one", 0, MAX_SEED)
COUNTED: Mapping[str, str] = {"sample": "n", "interpolate": "steps"}
"""The parameter that says how many images."""

PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    "sample": {"n": Parameter("images", 1, MAX_IMAGES, 16), "seed": SEED},
    "interpolate": {
        "steps": Parameter("images, the first of `seed` and the first of `to` among them", 2, MAX_IMAGES, 8),
        "seed": SEED,
        "to": Parameter("the seed at whose first image the way ends", 0, MAX_SEED),
    },
}
WORDS = ("label", "format")


def schemas(kind: str) -> dict[str, dict[str, object]]:
    """The parameters of a kind of query but for a model's controls, as JSON schemas."""
    found: dict[str, dict[str, object]] = {
        name: {"type": "integer", "minimum": each.low, "maximum": each.high, "description": each.meaning}
        | ({} if each.default is None else {"default": each.default})
        for name, each in PARAMETERS[kind].items()
    }
    found["label"] = {"type": "string", "description": "the class of all images, by name or index"}
    return found | {"format": {"enum": list(FORMATS), "default": DEFAULT_FORMAT}}


def images_asked(url: bytes) -> int:
    """How many images a URL asks for, as far as can be seen without a route; 0: it is none of images."""
    path, _, query = url.partition(b"?")
    kind = path.rpartition(b"/")[2].decode("latin-1")
    if kind not in COUNTED:
        return 0
    name = COUNTED[kind]
    found = re.search(rb"[?&]%s=([0-9]{1,4})(?:&|$)" % name.encode(), b"?" + query)
    return min(int(found[1]), MAX_IMAGES) if found else PARAMETERS[kind][name].default or 0


def makes_images(url: bytes) -> bool:
    """Whether a URL asks for images, of a seed or of tensors, as far as can be seen without a route."""
    return bool(images_asked(url)) or url.partition(b"?")[0].endswith(b"/infer")


@dataclass(frozen=True, kw_only=True)
class ImagesQuery:
    """A checked request.

    Args:
        n: how many images.
        seed: 0 to 2^64 - 1.
        to: the images lead from the first one of ``seed`` to the first one of this; None: they are those of ``seed``.
        repeatable: the client gave the seed, so it can ask for the same images again.
        label: the class's name; None: drawn from the seed, or there are no classes.
        format: one of ``FORMATS``.
        controls: the value of each of the generator's controls.
    """

    n: int
    seed: int
    to: int | None
    repeatable: bool
    label: str | None
    format: str
    controls: Mapping[str, float]

    @classmethod
    def parse(cls, kind: str, items: Iterable[tuple[str, str]], generator: ImageGenerator) -> "ImagesQuery":
        """Check the query's names and values.

        Args:
            kind: one of ``PARAMETERS``.

        Raises:
            UsageError: a name is unknown or comes twice, or a value is missing or cannot be used.
        """
        numbers, controls = PARAMETERS[kind], generator.card.controls
        given = _once(items, (*numbers, *WORDS, *controls))
        form = given.get("format", DEFAULT_FORMAT)
        if form not in FORMATS:
            raise UsageError(f"there is no format {form!r}", hint=did_you_mean(form, FORMATS))
        found = {name: _whole(name, given.get(name), each) for name, each in numbers.items()}
        return cls(
            n=found[COUNTED[kind]],
            seed=found["seed"],
            to=found.get("to"),
            repeatable="seed" in given,
            label=generator.card.class_names[generator.resolve_label(given["label"])] if "label" in given else None,
            format=form,
            controls=control_values(
                {name: given[name] for name in controls if name in given}, controls, generator.card.name
            ),
        )

    def job(self, generator: ImageGenerator) -> Job:
        """What the pool is asked to do."""
        return Job(
            generator=generator,
            images=self.n,
            rows=functools.partial(self._rows, generator),
            convert=to_uint8,
            encode=lambda images: FORMATS[self.format].encode(images, lambda: self._facts(generator)),
        )

    def etag(self, generator: ImageGenerator) -> str | None:
        """A strong validator, made from all that decides the bytes; None if the same bytes are not certain."""
        if not self.repeatable or generator.device != "cpu":
            return None
        parts = [_software(), generator.sha256, vars(self)]
        return f'"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}"'

    def _rows(self, generator: ImageGenerator, first: int, count: int) -> Rows:
        """Inputs of images ``first .. first + count``."""
        card = generator.card
        z, labels = self._latents(card.latent_dim, len(card.class_names), first, count)
        rows: dict[str, NDArray[Any]] = {"z": z}
        if labels is not None:
            rows["labels"] = labels if self.label is None else np.full_like(labels, card.class_names.index(self.label))
        return rows | {name: np.full((count, 1), value, np.float32) for name, value in self.controls.items()}

    def _latents(
        self, latent_dim: int, classes: int, first: int, count: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
        """Latents [count, L], and labels [count] or None; those on a way all have the label at which it begins."""
        if self.to is None:
            return draw(self.seed, first, count, latent_dim, classes)
        (start,), label = draw(self.seed, 0, 1, latent_dim, classes)
        (end,), _ = draw(self.to, 0, 1, latent_dim, classes)
        way = slerp(start, end, self.n)[first : first + count]
        return way, None if label is None else label.repeat(count)

    def _facts(self, generator: ImageGenerator) -> Mapping[str, object]:
        """What an answer in JSON says beside the images."""
        labels = self._rows(generator, 0, self.n).get("labels")
        names = generator.card.class_names
        facts = {
            "model": generator.card.name,
            "version": generator.card.version,
            "seed": self.seed,
            "labels": None if labels is None else [names[label] for label in labels],
            "controls": dict(self.controls),
        }
        return facts if self.to is None else {**facts, "to": self.to}


@functools.cache
def _software() -> str:
    return f"ganzoo {__version__}, zlib {zlib.ZLIB_RUNTIME_VERSION}, {identity()}"


def _once(items: Iterable[tuple[str, str]], known: tuple[str, ...]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in items:
        if name not in known:
            raise UsageError(f"there is no parameter {name!r}", hint=did_you_mean(name, known))
        if name in given:
            raise UsageError(f"the parameter {name!r} is given twice", hint="give it once")
        given[name] = value
    return given


def _whole(name: str, text: str | None, parameter: Parameter) -> int:
    """Stricter than ``int``, which takes ``1_000`` and other scripts' digits, too."""
    low, high = parameter.low, parameter.high
    if text is None and parameter is SEED:
        return random_seed()
    if text is None and parameter.default is not None:
        return parameter.default
    number = int(text) if text is not None and re.fullmatch(r"[0-9]{1,20}", text) else -1
    if not low <= number <= high:
        problem = (
            f"the parameter {name!r} is missing"
            if text is None
            else (f"{name} must be a whole number from {low} to {high}, not {text!r}")
        )
        raise UsageError(problem, hint=f"for example ?{name}={low + 1}")
    return number
