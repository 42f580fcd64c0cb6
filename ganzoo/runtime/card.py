"""The generator's card: what an exported file says about itself, so that the file alone is enough to sample from.

It is one JSON object under the key ``ganzoo`` of the ONNX file's ``metadata_props``.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ganzoo.controls import MOST_CONTROLS, Control, fault_of_control
from ganzoo.errors import IntegrityError, first_line
from ganzoo.files import Unreadable, parse_object
from ganzoo.latents import STREAM

METADATA_KEY = "ganzoo"
ATTACHMENT = "onnx"
"""The kind under which a version's exported file is attached to it in the registry."""

INT8 = "int8"
"""The variant of the file that computes in int8, which is attached beside the one in fp32."""

FORMAT = 1

MOST_LATENTS = 1 << 16
"""Largest latent size; the largest in use are some hundreds."""

MOST_VALUES = 1 << 26
"""Most values (channels times height times width) of one image: one of 4,096 x 4,096 in colour has three quarters."""

LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class GeneratorCard:
    """Everything that a runtime must know of a generator.

    Args:
        name: registry name; printable, and not empty.
        version: registry version, or None for a generator that was never registered.
        digest: ``sha256:<hex>`` of the version's manifest, or None.
        latent_dim: L of ``z f32[batch, L]``, at most ``MOST_LATENTS``.
        channels, height, width: shape of ``images f32[batch, C, H, W]``, nominally in [-1, 1]; at most ``MOST_VALUES``.
        class_names: one per label; empty if the generator takes no labels.
        stream: name of the mapping (seed, index) -> latent that it is sampled with.
        controls: further inputs ``f32[batch, 1]`` of the graph, by name, in the order of their names.
        weights: check sum of the graph's weights, from ``ganzoo.runtime.graph.weights_digest``; None: not known.
        int8: whether the graph computes in int8, and so comes near the images of the one in fp32.
        uint8: whether the graph makes ``images u8[batch, H, W, C]`` and ``finite bool[batch]`` instead.
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
    controls: Mapping[str, Control] = field(default_factory=dict)
    weights: str | None = None
    int8: bool = False
    uint8: bool = False

    def to_json(self) -> str:
        """Canonical JSON; what is optional and not there is left out, so that an older ganzoo reads the rest."""
        fields = {"format": FORMAT, **asdict(self)}
        absent = [name for name in _OPTIONAL if not fields[name]]
        return json.dumps({name: value for name, value in fields.items() if name not in absent}, sort_keys=True)

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
            fields = parse_object(text)
            if "format" not in fields:
                raise TypeError("'format' is missing")
            known = fields.pop("format") == FORMAT and fields.keys() <= _FIELDS.keys() | _OPTIONAL.keys()
            card = cls(**_checked(fields)) if known else None
        except (Unreadable, TypeError, KeyError) as error:
            raise IntegrityError(f"the ONNX file's ganzoo card cannot be read: {first_line(error)}") from error
        if card is None or card.stream != STREAM:
            raise IntegrityError("the ONNX file was written by a newer ganzoo", hint="pip install --upgrade ganzoo")
        return card


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= LONGEST_NAME


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0  # JSON's true would pass for 1


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _are_controls(value: object) -> bool:
    if not isinstance(value, dict) or len(value) > MOST_CONTROLS:
        return False
    return all(
        isinstance(each, dict)
        and each.keys() == {"default", "low", "high"}
        and fault_of_control(name, Control(**each)) is None
        for name, each in value.items()
    )


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "name": _is_name,
    "version": lambda value: value is None or _is_count(value),
    "digest": lambda value: value is None or _is_text(value),
    "latent_dim": _is_count,
    "channels": _is_count,
    "height": _is_count,
    "width": _is_count,
    "class_names": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "stream": _is_text,
}
_OPTIONAL: dict[str, Callable[[Any], bool]] = {
    "weights": _is_text,
    "controls": _are_controls,
    "int8": _is_flag,
    "uint8": _is_flag,
}


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The constructor's arguments, checked: a card may come from anywhere, so each must be there and of its type."""
    if absent := _FIELDS.keys() - fields.keys():
        raise TypeError(f"{min(absent)!r} is missing")
    for name, value in fields.items():
        if not (_FIELDS | _OPTIONAL)[name](value):
            raise TypeError(f"{name!r} is not as it should be")
    if fields["latent_dim"] > MOST_LATENTS:
        raise TypeError(f"{fields['latent_dim']} latents are more than {MOST_LATENTS}")
    if fields["channels"] * fields["height"] * fields["width"] > MOST_VALUES:
        raise TypeError(f"an image of {fields['channels']} x {fields['height']} x {fields['width']} is too large")
    controls = {name: Control(**each) for name, each in sorted(fields.get("controls", {}).items())}
    return {**fields, "class_names": tuple(fields["class_names"]), "controls": controls}
