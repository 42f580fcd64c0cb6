"""The generator's card: what an exported file says about itself, so that the file alone is enough to sample from.

It is one JSON object under the key ``ganzoo`` of the ONNX file's ``metadata_props``.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ganzoo.errors import IntegrityError
from ganzoo.latents import STREAM

METADATA_KEY = "ganzoo"
ATTACHMENT = "onnx"
"""The kind under which a version's exported file is attached to it in the registry."""

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class GeneratorCard:
    """Everything that a runtime must know of a generator.

    Args:
        name: registry name.
        version: registry version, or None for a generator that was never registered.
        digest: ``sha256:<hex>`` of the version's manifest, or None.
        latent_dim: L of ``z f32[batch, L]``.
        channels, height, width: shape of ``images f32[batch, C, H, W]``, nominally in [-1, 1].
        class_names: one per label; empty if the generator takes no labels.
        stream: name of the mapping (seed, index) -> latent that it is sampled with.
    """

    name: str
    version: int | None = None
    digest: str | None = None
    latent_dim: int
    channels: int
    height: int
    width: int
    class_names: tuple[str, ...] = ()
    stream: str = STREAM

    def to_json(self) -> str:
        """Canonical JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None) -> "GeneratorCard":
        """Read what ``to_json`` wrote.

        Raises:
            IntegrityError: the card is missing or damaged, of a newer format, or of another random stream.
        """
        if text is None:
            raise IntegrityError(
                "the ONNX file has no ganzoo card in its metadata",
                hint="export it with: ganzoo export NAME -o FILE",
            )
        try:
            fields = json.loads(text)
            known = fields.pop("format") == FORMAT
            card = cls(**_checked(fields)) if known else None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise IntegrityError(f"the ONNX file's ganzoo card cannot be read: {error}") from error
        if card is None or card.stream != STREAM:
            raise IntegrityError("the ONNX file was written by a newer ganzoo", hint="pip install --upgrade ganzoo")
        return card


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0  # JSON's true would pass for 1


_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "name": _is_text,
    "version": lambda value: value is None or _is_count(value),
    "digest": lambda value: value is None or _is_text(value),
    "latent_dim": _is_count,
    "channels": _is_count,
    "height": _is_count,
    "width": _is_count,
    "class_names": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "stream": _is_text,
}


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The constructor's arguments, checked: a card may come from anywhere, so each must be there and of its type."""
    if fields.keys() != _FIELDS.keys():
        raise TypeError(f"{min(fields.keys() ^ _FIELDS.keys())!r} is missing or unknown")
    for name, fits in _FIELDS.items():
        if not fits(fields[name]):
            raise TypeError(f"{name!r} has the wrong type")
    return {**fields, "class_names": tuple(fields["class_names"])}
